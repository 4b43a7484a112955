"""The line that LiteRT writes of itself stays out of the log, and nothing else does."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlserverless.engines import litert, select
from mlserverless.engines.quiet import quiet


def stderr_of(code: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("engine", ["litert", "litert-python"])
def test_nothing_is_written_to_the_functions_log(models: Path, engine: str) -> None:
    code = """
import sys
from mlserverless.predictor import Predictor
Predictor(sys.argv[1], engine=sys.argv[2]).warm_up()
print("still here", file=sys.stderr)
"""
    assert stderr_of(code, str(models / "efficientnet-lite0"), engine) == "still here\n"


def test_the_line_is_there_to_be_left_out(models: Path) -> None:
    code = """
import sys
from ai_edge_litert.interpreter import Interpreter
Interpreter(sys.argv[1]).allocate_tensors()
"""
    assert "XNNPACK delegate for CPU" in stderr_of(code, str(models / "dogs-vs-cats" / "model.tflite"))


def test_what_else_is_written_meanwhile_is_written_again(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nanother line\nno end")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "another line\nno end"


def test_it_is_written_again_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    def write_and_fail() -> None:
        with quiet():
            os.write(2, b"said before\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert capfd.readouterr().err == "said before\n"


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_loading_works_where_stderr_cannot_be_caught(
    models: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(*_: Any) -> int:
        raise error

    engine = select("litert")
    monkeypatch.setattr("os.memfd_create", refuse, raising=False)
    monkeypatch.setattr(litert._runtime, "fresh", True)
    interpreter = engine.load((models / "dogs-vs-cats" / "model.tflite").read_bytes(), 1)
    assert len(interpreter.inputs) == 1


def test_stderr_is_whole_after_loads_at_once(models: Path) -> None:
    code = """
import sys, threading
from mlserverless.predictor import Predictor
threads = [threading.Thread(target=Predictor(sys.argv[1]).warm_up) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("still here", file=sys.stderr)
"""
    assert stderr_of(code, str(models / "dogs-vs-cats")) == "still here\n"
