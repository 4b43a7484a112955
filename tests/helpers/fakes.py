"""An engine whose interpreters answer what a test says, and a model folder for it."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from helpers import modelfile
from mlserverless import engines
from mlserverless.engines import PLAIN, Engine, Tensor, Wanted

IMAGE = Tensor("image", (1, 2, 2, 3), "uint8")
SCORES = Tensor("scores", (1, 3), "uint8", 1 / 256)


class FakeInterpreter:
    """Answers ``answer``, an output's bytes, a list of them or a function of the input, and keeps its inputs."""

    def __init__(self, answer: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        self.answer, self.inputs, self.outputs = answer, inputs, outputs
        self.given: list[bytes] = []
        self._busy = threading.Lock()

    def run(self, data: bytes) -> list[bytes]:
        assert self._busy.acquire(blocking=False), "two threads ran one interpreter"
        try:
            self.given.append(data)
            answer = self.answer(data) if callable(self.answer) else self.answer
            return answer if isinstance(answer, list) else [answer]
        finally:
            self._busy.release()


class FakeEngine:
    """Stands in for ``engines.select``.

    ``made`` are the interpreters it loaded, ``threads`` what each got, ``wanted`` what else.
    """

    def __init__(self, answer: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        self._fake = answer, inputs, outputs
        self.made: list[FakeInterpreter] = []
        self.threads: list[int] = []
        self.wanted: list[Wanted] = []
        self.asked: list[str] = []

    def select(self, name: str, _: Sequence[str] = ()) -> Engine:
        self.asked.append(name)
        return Engine("fake", self._load)

    def _load(self, model: bytes, threads: int, wanted: Wanted = PLAIN) -> FakeInterpreter:
        self.made.append(FakeInterpreter(*self._fake))
        self.wanted.append(wanted)
        self.threads.append(threads)
        return self.made[-1]


def fake_engine(
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes | list[bytes] | Callable[[bytes], bytes | list[bytes]] = b"\x40\x80\x20",
    inputs: tuple[Tensor, ...] = (IMAGE,),
    outputs: tuple[Tensor, ...] = (SCORES,),
) -> FakeEngine:
    """Put a fake engine in the place of every other; 0x40, 0x80, 0x20 are the scores 0.25, 0.5 and 0.125."""
    engine = FakeEngine(answer, inputs, outputs)
    monkeypatch.setattr(engines, "select", engine.select)
    return engine


def folder(path: Path, toml: str = 'labels = "labels.txt"', labels: str = "cat\ndog\nowl\n") -> Path:
    """Write a model folder that :func:`fake_engine` can serve."""
    path.mkdir(exist_ok=True)
    (path / "model.toml").write_text(toml)
    (path / "labels.txt").write_text(labels)
    (path / "model.tflite").write_bytes(modelfile.model())
    return path
