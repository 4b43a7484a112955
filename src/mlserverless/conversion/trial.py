"""A converted model in the engines: each in a process of its own, run beside the original, picture by picture."""

import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlserverless.inspection.trial import CRASHED, MISSING, REFUSED, RUNS, environment

CHILD = "mlserverless.conversion.child"
PATIENCE = 10.0  # seconds


class Trial(NamedTuple):
    """What an engine made of the pictures. ``status`` as of :class:`mlserverless.inspection.trial.Verdict`.

    ``outputs``: of each picture, each output's real values, flat; ``milliseconds`` of each picture's run;
    ``place`` is that of the scores among the outputs, whose ``shapes`` these are.
    """

    engine: str
    status: str
    told: str = ""
    task: str = ""
    place: int = 0
    shapes: tuple[tuple[int, ...], ...] = ()
    dtype: str = ""
    outputs: tuple[list[Any], ...] = ()
    milliseconds: tuple[float, ...] = ()


class Ran(NamedTuple):
    """What the original made of the pictures, in the same form."""

    outputs: tuple[list[Any], ...]
    milliseconds: tuple[float, ...]


def run(
    folder: Path,
    engines: Sequence[str],
    pictures: Sequence[Path],
    original: Callable[[int], list[Any]],
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Ran, list[Trial]]:
    """Run the model in ``folder`` with each of the ``engines``, and ``original(i)``, on each of the ``pictures``.

    They take turns, so that whatever else the machine does slows down all of them alike. One that crashes ends its
    own process only.
    """
    children = [_Child(engine, folder, pictures) for engine in engines]
    made, took = [], []
    try:
        ready = [child for child in children if child.began()]
        original(0)  # the first run of each takes longer, and is not counted
        for child in ready:
            child.ask(0, keep=False)
        for number in range(len(pictures)):
            begin = time.perf_counter()
            made.append(original(number))
            took.append(1000 * (time.perf_counter() - begin))
            for child in ready:
                child.ask(number)
            tell(f"{number + 1} of {len(pictures)} pictures")
    finally:
        for child in children:
            child.end()
    return Ran(tuple(made), tuple(took)), [child.trial for child in children]


class _Child:
    def __init__(self, engine: str, folder: Path, pictures: Sequence[Path]) -> None:
        self.trial = Trial(engine, CRASHED)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, "-P", "-m", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(),
            text=True,
        )
        asked = {"folder": str(folder), "engine": engine, "pictures": [str(path) for path in pictures]}
        self._say(json.dumps(asked))

    def began(self) -> bool:
        """Wait until the model is loaded; return whether it is."""
        answer = self._answer()
        if answer is None:
            return False
        if "refused" in answer:
            told = answer["refused"]
            gone = "No engine can run the model. Tried" in told
            self.trial = self.trial._replace(status=MISSING if gone else REFUSED, told=told)
            return False
        shapes = tuple(map(tuple, answer["shapes"]))
        self.trial = self.trial._replace(
            status=RUNS, task=answer["task"], place=answer["place"], shapes=shapes, dtype=answer["dtype"]
        )
        return True

    def ask(self, number: int, *, keep: bool = True) -> None:
        """Have it run on the picture ``number``."""
        if self.trial.status != RUNS:
            return
        self._say(str(number))
        answer = self._answer()
        if answer is None or not keep:
            return
        import numpy

        outputs = [numpy.frombuffer(base64.b64decode(text), numpy.float32) for text in answer["outputs"]]
        self.trial = self.trial._replace(
            outputs=(*self.trial.outputs, outputs),
            milliseconds=(*self.trial.milliseconds, answer["milliseconds"]),
        )

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: _answer tells how
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = self._process.wait()
        how = f"it ends the process, by signal {-code}" if code < 0 else f"code {code}: {self._last()}"
        self.trial = self.trial._replace(status=CRASHED, told=how)
        return None

    def _last(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing was said"

    def end(self) -> None:
        """Have it end, by the end of what it is told, and wait for that; end it where it does not."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
