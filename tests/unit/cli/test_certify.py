"""``mlserverless certify``: what it prints and writes, and how it ends."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpers import classifiers
from helpers.certified import KINDS, saved
from mlserverless import certificate, model
from mlserverless.cli.certify import certify

SCORES = ("input", "output", "scores", "labels")


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(certify, [str(argument) for argument in arguments], catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return classifiers.write(KINDS["float"], tmp_path / "mine")


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    saved("float", tmp_path / "notebook.npz", SCORES)
    return tmp_path / "notebook.npz"


def test_what_is_certified_is_told_and_written(folder: Path, notebook: Path) -> None:
    before = (folder / "model.toml").read_text()
    result = run(folder, "--reference", notebook)
    assert result.exit_code == 0
    assert "float on litert, 3 images" in result.stdout
    assert "Certified: what is served is what the notebook has." in result.stdout
    after = (folder / "model.toml").read_text()
    assert after.startswith(before)
    written = tomllib.loads(after)["certificate"]
    found = model.load(str(folder))
    assert written["model"] == found.sha256
    assert written["pipeline"] == certificate.pipeline(found)
    assert (written["images"], written["top1"], written["engine"]) == (3, 1.0, "litert")
    assert {"input", "output", "scores", "answer"} <= set(written)
    assert certificate.stale(found) == ""


def test_brackets_in_a_name_are_shown_as_they_are(folder: Path, notebook: Path) -> None:
    path = folder / "model.toml"
    path.write_text(path.read_text().replace('name = "float"', 'name = "my [/b] model [red]"'))
    result = run(folder, "--reference", notebook, "--dry-run")
    assert "my [/b] model [red] on litert, 3 images" in result.stdout


def test_certifying_again_writes_the_same(folder: Path, notebook: Path) -> None:
    run(folder, "--reference", notebook)
    once = (folder / "model.toml").read_bytes()
    run(folder, "--reference", notebook)
    assert (folder / "model.toml").read_bytes() == once


def test_a_dry_run_writes_nothing(folder: Path, notebook: Path) -> None:
    before = (folder / "model.toml").read_bytes()
    result = run(folder, "--reference", notebook, "--dry-run")
    assert (result.exit_code, (folder / "model.toml").read_bytes()) == (0, before)
    assert "Not written (--dry-run)." in result.stdout


def test_what_diverges_is_told_with_its_mend_and_not_written(folder: Path, tmp_path: Path) -> None:
    saved("float", tmp_path / "bgr.npz", SCORES, order="bgr", fit="crop")
    before = (folder / "model.toml").read_bytes()
    result = run(folder, "--reference", tmp_path / "bgr.npz")
    assert (result.exit_code, (folder / "model.toml").read_bytes()) == (1, before)
    text = result.stdout
    assert (
        "The first step that diverges: resize. The notebook resizes with fit = crop; served is fit = stretch."
        in text
    )
    assert 'mend it in the model.toml, with which it fits:\n    fit = "crop"' in text
    assert "Then: channels. The notebook feeds the channels in the order BGR; served is RGB." in text
    assert 'channels = "bgr"' in text


def test_json_has_all_of_it(folder: Path, notebook: Path) -> None:
    told: dict[str, Any] = json.loads(run(folder, "--reference", notebook, "--json").stdout)
    assert list(told) == [
        *("model", "engine", "reference", "images", "certified", "step", "stages", "findings", "certificate"),
        "written",
    ]
    assert (told["certified"], told["step"], told["findings"]) == (True, "", [])
    assert told["written"] == str(folder / "model.toml")
    assert [stage["stage"] for stage in told["stages"]] == [
        *("decode", "resize", "input", "output", "scores", "labels", "answer")
    ]
    assert told["stages"][0] == {"stage": "decode", "verdict": "absent"}
    assert set(told["stages"][2]) == {
        *("stage", "verdict", "max", "mean", "share", "worst_image", "tolerance", "unit")
    }


def test_json_of_what_diverges_names_the_step(folder: Path, tmp_path: Path) -> None:
    saved("float", tmp_path / "unit.npz", ("input",), range="unit")
    result = run(folder, "--reference", tmp_path / "unit.npz", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["certified"], told["step"], told["certificate"]) == (1, False, "range", None)
    (finding,) = told["findings"]
    assert (finding["cause"], finding["mend"], finding["where"]) == ("range", 'range = "unit"', "model.toml")
    assert (finding["step"], finding["proven"]) == ("range", True)


def test_a_model_file_alone_is_compared_and_nothing_written(tmp_path: Path, notebook: Path) -> None:
    folder = classifiers.write(KINDS["soft"], tmp_path / "soft")
    saved("uint8", tmp_path / "uint8.npz", ("input", "output"), resize="bilinear")
    file = classifiers.write(KINDS["uint8"], folder) / "model.tflite"
    result = run(file, "--reference", tmp_path / "uint8.npz")
    assert result.exit_code == 0
    assert "Not written: that takes a model folder." in result.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("decode", "is not STAGE=NUMBER; stages are decode, resize, input"),
        ("decode=x", "is not STAGE=NUMBER"),
        ("decode=-1", "is not STAGE=NUMBER"),
        ("decode=inf", "is not STAGE=NUMBER"),
        ("layout=1", "is not STAGE=NUMBER"),
    ],
)
def test_a_tolerance_that_is_none_is_told(folder: Path, notebook: Path, text: str, told: str) -> None:
    result = run(folder, "--reference", notebook, "--tolerance", text)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.replace("│", "").split())


def test_a_tolerance_lets_a_stage_differ(folder: Path, tmp_path: Path) -> None:
    saved("float", tmp_path / "unit.npz", ("input",), range=((123.0,), (58.0,)))
    assert run(folder, "--reference", tmp_path / "unit.npz").exit_code == 1
    assert run(folder, "--reference", tmp_path / "unit.npz", "--tolerance", "input=0.5").exit_code == 0


def test_a_reference_that_cannot_be_read_ends_with_2(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("no archive")
    result = run(folder, "--reference", tmp_path / "a.npz")
    assert result.exit_code == 2
    assert "invalid-request:" in result.stderr
    assert run(folder, "--reference", tmp_path / "none.npz").exit_code == 2


def test_images_that_cannot_be_opened_end_with_2(folder: Path, tmp_path: Path) -> None:
    saved("float", tmp_path / "a.npz", ("input",), edit=lambda told: told.update(images=[b"GIF89a..."] * 3))
    result = run(folder, "--reference", tmp_path / "a.npz")
    assert (result.exit_code, "unsupported-media-type" in result.stderr) == (2, True)


def test_a_model_that_cannot_be_used_ends_with_3(tmp_path: Path, notebook: Path, folder: Path) -> None:
    assert run(tmp_path / "none", "--reference", notebook).exit_code == 3
    shutil.rmtree(folder)
    assert run(folder, "--reference", notebook).exit_code == 3


def test_an_engine_may_be_chosen(folder: Path, notebook: Path) -> None:
    result = run(folder, "--reference", notebook, "--engine", "litert-python", "--json")
    assert json.loads(result.stdout)["engine"] == "litert-python"
    assert run(folder, "--reference", notebook, "--engine", "none").exit_code == 2


def test_a_model_toml_that_may_not_be_written_ends_with_3(
    folder: Path, notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mlserverless.certification.writing._swap", refuse)
    result = run(folder, "--reference", notebook)
    assert (result.exit_code, "model.toml cannot be written: Permission denied" in result.stderr) == (3, True)
