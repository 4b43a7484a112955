"""Engines that try a model, each in its own process: what they say, and what ends them."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from helpers import specimens
from mlserverless.inspection import trial
from mlserverless.inspection.ops import Use
from mlserverless.inspection.trial import CRASHED, LOADS, MISSING, REFUSED, RUNS, Verdict


def of(path: Path, data: bytes, *engines: str, **given: object) -> list[Verdict]:
    (path / "a.tflite").write_bytes(data)
    return trial.run(str(path / "a.tflite"), engines, **given)  # type: ignore[arg-type]


def test_model_that_an_engine_runs(tmp_path: Path) -> None:
    for verdict in of(tmp_path, specimens.classifier(), "litert", "litert-python"):
        assert verdict.status == RUNS, verdict
        assert verdict.milliseconds >= 0


def test_model_of_several_inputs_is_loaded_only(tmp_path: Path) -> None:
    (verdict,) = of(tmp_path, specimens.two_inputs(), "litert")
    assert (verdict.status, verdict.told) == (LOADS, "not run: it has 2 inputs")


def test_refusal_has_the_engines_own_reason(tmp_path: Path) -> None:
    verdicts = of(tmp_path, specimens.dense_of_version(39), "litert", "litert-python")
    for verdict in verdicts:
        assert verdict.status == REFUSED
        assert "Didn't find op for builtin opcode 'FULLY_CONNECTED' version '39'" in verdict.told


def test_custom_operator_is_found_out_by_running(tmp_path: Path) -> None:
    """LiteRT's C interface loads a model whose operators it lacks, and refuses to run it."""
    for verdict in of(tmp_path, specimens.custom("Unheard"), "litert", "litert-python"):
        assert verdict.status == REFUSED
        assert "unresolved custom op: Unheard" in verdict.told


def test_engine_that_crashes_ends_nothing_else(tmp_path: Path) -> None:
    """The operator reads options that this model does not have."""
    (verdict,) = of(tmp_path, specimens.custom("TFLite_Detection_PostProcess"), "litert-python")
    assert verdict.status == CRASHED
    assert verdict.told == f"it ends the process, by signal {int(signal.SIGSEGV)}"


def test_engine_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "environment", lambda: {**os.environ, "PYTHONPATH": str(tmp_path / "hide")})
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "tflite_runtime.py").write_text("raise ImportError('not on this machine')\n")
    (verdict,) = of(tmp_path, specimens.classifier(), "tflite-runtime")
    assert verdict.status == MISSING
    assert "not on this machine" in verdict.told


def test_engine_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.01)
    (verdict,) = of(tmp_path, specimens.classifier(), "litert")
    assert (verdict.status, verdict.told) == (CRASHED, "no answer within 0 s")


def test_process_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess[bytes]([], 3, b"", b"one line\nthe last\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    (verdict,) = of(tmp_path, specimens.classifier(), "litert")
    assert (verdict.status, verdict.told) == (CRASHED, "code 3: the last")


def test_size_that_is_left_open_is_settled(tmp_path: Path) -> None:
    verdicts = of(tmp_path, specimens.open_size(), "litert", "litert-python", size=(6, 8))
    assert [verdict.status for verdict in verdicts] == [RUNS, RUNS], verdicts


def test_settings_of_the_machine_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_ENGINE", "tensorflow")
    assert "MLSERVERLESS_ENGINE" not in trial.environment()


def test_what_is_lacking_is_told_where_it_does_not_run() -> None:
    uses = [Use("FULLY_CONNECTED", 12, 1), Use("FlexErf", 1, 2, True), Use("ADD", 1, 1)]
    lacks = (
        "FULLY_CONNECTED version 12 (it has up to 10)",
        "FlexErf, which needs TensorFlow's Flex delegate",
    )
    assert trial.lacking(Verdict("tflite-runtime", REFUSED), uses) == lacks
    assert trial.lacking(Verdict("tflite-runtime", RUNS), uses) == ()
