"""Runs: one after the other with one interpreter, joined, within time and length."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import IMAGE, SCORES, FakeEngine, fake_engine
from helpers.tensors import model
from mlserverless.deadline import Deadline
from mlserverless.engines import Tensor
from mlserverless.errors import DeadlineExceeded, InvalidRequest, Overloaded
from mlserverless.web.inference import running
from mlserverless.web.inference.asking import Asked, Output
from mlserverless.web.inference.running import Ran
from mlserverless.web.inference.served import Served

ONE, TWO = bytes(12), bytes([7] * 12)


def asked(*items: bytes, binary: bool = False, classes: int = 0) -> Asked:
    return Asked(None, list(items), (Output(0, "scores", binary, classes),))


def run(found: Served, wanted: Asked, deadline: Deadline | None = None) -> Ran:
    return running.run(found, wanted, deadline or Deadline(), 16)


def refused(found: Served, wanted: Asked) -> str:
    with pytest.raises(InvalidRequest) as caught:
        run(found, wanted)
    return str(caught.value)


def made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, *outputs: Tensor, toml: str = 'task = "raw"'
) -> tuple[FakeEngine, Served]:
    engine = fake_engine(monkeypatch, answer, outputs=outputs or (SCORES,))
    return engine, model(tmp_path, toml)


def test_each_is_run_on_its_own_and_the_answers_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, found = made(tmp_path, monkeypatch, lambda data: data[:3])
    ran = run(found, asked(ONE, TWO, ONE))
    assert ran.outputs == {0: (SCORES._replace(shape=(3, 3)), b"\0\0\0\7\7\7\0\0\0")}
    assert engine.made[0].given[-3:] == [ONE, TWO, ONE]
    assert [name for name, _ in ran.timings] == ["wait", "invoke"]
    assert run(found, asked(TWO)).outputs == {0: (SCORES, b"\7\7\7")}


def test_only_what_is_asked_for_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    label = Tensor("label", (1,), "int64")
    _, found = made(tmp_path, monkeypatch, [b"\1\2\3", struct.pack("<q", 2)], SCORES, label)
    ran = run(found, Asked(None, [ONE, TWO], (Output(1, "label"),)))
    assert ran.outputs == {1: (label._replace(shape=(2,)), struct.pack("<2q", 2, 2))}


def test_it_ends_between_two_runs_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def answer(_: bytes) -> bytes:
        now[0] += 1
        return b"\1\2\3"

    engine, found = made(tmp_path, monkeypatch, answer)
    before = len(engine.made[0].given)
    with pytest.raises(DeadlineExceeded, match="before the model ran"):
        run(found, asked(ONE, ONE, ONE), Deadline(1.5, clock=lambda: now[0]))
    assert len(engine.made[0].given) - before == 2


def test_it_waits_for_an_interpreter_as_other_requests_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = made(tmp_path, monkeypatch, b"\1\2\3")
    with pytest.raises(Overloaded, match="requests wait already"):
        found.loaded.pool.run(lambda _: running.run(found, asked(ONE), Deadline(5), 0), Deadline())


def varying(engine: FakeEngine) -> Callable[[bytes], bytes]:
    def answer(data: bytes) -> bytes:
        rows = data[0] % 5 + 1
        engine.made[0].outputs = (Tensor("scores", (rows, 2), "uint8"),)
        return bytes(2 * rows)

    return answer


def test_what_has_another_shape_each_time_cannot_be_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, found = made(tmp_path, monkeypatch, b"\1\2", Tensor("scores", (1, 2), "uint8"))
    engine.made[0].answer = varying(engine)
    assert run(found, asked(TWO)).outputs[0][0].shape == (3, 2)
    for items in ((ONE, TWO), (TWO, TWO)):
        assert refused(found, asked(*items)) == (
            "The output 'scores' has another shape each time, so that 2 cannot be joined: send one at a time."
        )


@pytest.mark.parametrize(
    ("binary", "classes", "on_lambda", "runs", "most"),
    [
        (False, 0, False, 2, 6_000_000),
        (False, 1, False, 2, 6_000_000),
        (True, 1, False, 2, 6_000_000),
        (True, 0, False, 20, 30_000_000),
        (True, 0, True, 3, 4_500_000),
    ],
)
def test_an_answer_that_would_be_too_long_ends_after_the_first_run(
    binary: bool,
    classes: int,
    on_lambda: bool,
    runs: int,
    most: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """JSON takes two bytes an element at least; Lambda sends binary in base64, a third longer."""
    if on_lambda:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
    output = Tensor("scores", (1, 1_500_000), "uint8")
    engine, found = made(tmp_path, monkeypatch, bytes(output.bytes), output)
    ran = run(found, asked(*[ONE] * runs, binary=binary, classes=classes))
    assert len(ran.outputs[0][1]) == runs * output.bytes
    before = len(engine.made[0].given)
    told = refused(found, asked(*[ONE] * (runs + 1), binary=binary, classes=classes))
    assert f"at most {most:,} are sent" in told
    assert len(engine.made[0].given) - before == 1


def test_the_input_of_a_run_is_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = made(tmp_path, monkeypatch, b"\1\2\3")
    assert found.loaded.input == IMAGE
