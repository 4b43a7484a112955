"""Engines in processes of their own: what they answer, and what becomes of one that cannot."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.convertible import NAMES, answers, network, pictures
from mlserverless.conversion import folder, pixels, trial
from mlserverless.engines import Tensor
from mlserverless.model_toml import read_input

SECTION = {"range": "unit"}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    out = tmp_path / "model"
    out.mkdir()
    written(out, NAMES)
    return out


def written(out: Path, labels: Any) -> None:
    wanted = read_input(SECTION, "the test")
    folder.write(
        out,
        network(),
        suffix=".tflite",
        name="mine",
        description="",
        labels=labels,
        given=SECTION,
        wanted=wanted,
        channels="rgb",
        output={"activation": "none"},
    )


def test_answers_beside_the_original(tmp_path: Path, made: Path) -> None:
    paths = pictures(tmp_path / "images", 4)
    inputs = pixels.arrays(paths, read_input(SECTION, "the test"), Tensor("image", (1, 16, 16, 3), "float32"))
    asked: list[int] = []
    words: list[str] = []

    def original(number: int) -> list[Any]:
        asked.append(number)
        return [np.zeros(5)]

    ran, trials = trial.run(made, ["litert", "tflite-runtime"], paths, original, words.append)
    assert asked == [0, 0, 1, 2, 3]  # the first one to warm up
    assert len(ran.outputs) == len(ran.milliseconds) == 4
    assert words[-1] == "4 of 4 pictures"
    for one in trials:
        if one.status == "not installed":
            continue
        assert (one.status, one.task, one.place, one.shapes, one.dtype) == (
            "runs",
            "classify",
            0,
            ((1, 5),),
            "float32",
        )
        assert np.allclose(np.stack([row[0] for row in one.outputs]), answers(network(), inputs), atol=1e-5)
        assert len(one.milliseconds) == 4
    assert trials[0].status == "runs"


def test_one_that_refuses_and_one_that_is_not_here(tmp_path: Path, made: Path) -> None:
    written(made, NAMES[:3])
    paths = pictures(tmp_path / "images", 1)
    _, (refused, missing) = trial.run(made, ["litert", "no-such-engine"], paths, lambda _: [])
    assert (refused.status, refused.outputs) == ("refused", ())
    assert "has 3 labels, but its output has 5 classes" in refused.told
    assert missing.status == "refused"
    assert "no-such-engine cannot run this model" in missing.told


def test_one_that_is_killed(tmp_path: Path, made: Path) -> None:
    paths = pictures(tmp_path / "images", 3)

    def original(number: int) -> list[Any]:
        if number == 1:
            for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                if "mlserverless.conversion.child" in Path(f"/proc/{child}/cmdline").read_text():
                    os.kill(int(child), signal.SIGKILL)
        return [np.zeros(5)]

    _, (one,) = trial.run(made, ["litert"], paths, original)
    assert one.status == "crashed"
    assert one.told == "it ends the process, by signal 9"


def test_one_that_cannot_begin(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "CHILD", "mlserverless.conversion.no_such_module")
    _, (one,) = trial.run(made, ["litert"], pictures(tmp_path / "images", 1), lambda _: [])
    assert one.status == "crashed"
    assert "No module named mlserverless.conversion.no_such_module" in one.told


def test_one_that_does_not_end_is_ended(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text('import time\nprint(\'{"refused": "no"}\', flush=True)\ntime.sleep(600)\n')
    monkeypatch.setattr(trial, "PATIENCE", 0.1)
    monkeypatch.setattr(trial, "CHILD", "stubborn")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    monkeypatch.setattr(trial, "environment", lambda: environment)
    _, (one,) = trial.run(made, ["litert"], pictures(tmp_path / "images", 1), lambda _: [])
    assert (one.status, one.told) == ("refused", "no")
