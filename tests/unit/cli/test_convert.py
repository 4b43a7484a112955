"""``mlserverless convert``: options, steps, table, JSON, and how it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.convertible import NAMES, network, pictures
from mlserverless import model


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "a.tflite").write_bytes(network())
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    pictures(tmp_path / "images", 6)
    return tmp_path


def run(place: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own: it takes the standard streams away from the converters."""
    command = [sys.executable, "-m", "mlserverless", "convert", *arguments]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done


COMMON = ("a.tflite", "--out", "out", "--images", "images", "--labels", "names.txt", "--range", "0/255")


def test_table_steps_and_notes(place: Path) -> None:
    done = run(place, *COMMON, "--quantize", "int8", "--calibrate", "images", "--engines", "litert")
    assert done.returncode == 0, done.stderr
    rows = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert rows[0] == "a.tflite (LiteRT) → out/model.tflite, int8"
    assert any(row.startswith("litert ") and "% of 6" in row for row in rows)
    *steps, note = done.stderr.splitlines()
    for line in steps:
        assert re.fullmatch(r" *\d+\.\d s  \w.*", line), "only steps that took more than a second"
    assert note == "note: Calibrated with 6 pictures: a hundred are better."


def test_quietly_neither_steps_nor_notes_are_told(place: Path) -> None:
    done = run(place, *COMMON, "--quantize", "int8", "--engines", "litert", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_folder_was_a_word_after_the_source(place: Path) -> None:
    done = run(place, "a.tflite", "out", *COMMON[3:])
    assert done.returncode == 0
    assert "convert: the folder after SOURCE is deprecated, and goes in 0.3: write --out FOLDER." in done.stderr
    assert (place / "out/model.toml").is_file()


@pytest.mark.parametrize("arguments", [(), ("out", "--out", "other")])
def test_the_folder_is_given_once(place: Path, arguments: tuple[str, ...]) -> None:
    done = run(place, "a.tflite", *arguments)
    assert done.returncode == 2
    assert "given once, as --out FOLDER" in done.stderr


def test_table_in_a_pipe_is_not_wrapped(place: Path) -> None:
    out = "a-folder-with-a-long-name/" + "and-one-within-it-that-is-longer/" * 3 + "model"
    (place / out).parent.mkdir(parents=True)
    done = run(place, "a.tflite", "--out", out, *COMMON[3:])
    assert done.returncode == 0, done.stderr
    title, head, *rows = (" ".join(line.split()) for line in done.stdout.splitlines())
    assert title == f"a.tflite (LiteRT) → {out}/model.tflite, none"
    assert head == "size median same best class largest difference"
    assert rows[0].startswith("original ")


def test_json_and_every_key_of_input(place: Path) -> None:
    done = run(
        place, *COMMON, "--json", "--name", "mine", "--size", "16,16", "--channels", "rgb", "--layout", "nhwc",
        "--resize", "bicubic", "--resizer", "torchvision", "--antialias", "--fit", "crop", "--side", "20",
        "--activation", "none", "--input-shape", "1,16,16,3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["quantize"], told["pictures"]) == ("none", 6)
    assert {"reading a.tflite", "running original and converted"} <= set(told["steps"])
    loaded = model.load(str(place / "out"))
    assert (loaded.name, loaded.sha256) == ("mine", told["sha256"])
    wanted = loaded.input
    assert (wanted.size, wanted.channels, wanted.resize, wanted.resizer) == (
        (16, 16),
        "rgb",
        "bicubic",
        "torchvision",
    )
    assert (wanted.antialias, wanted.fit, wanted.side) == (True, "crop", 20)
    assert wanted.range == ((0.0,), (255.0,))


def test_a_preset(place: Path) -> None:
    done = run(
        place, "a.tflite", "-o", "out", "--images", "images", "--preset", "keras/mobilenetv2", "--size", "16,16"
    )
    assert done.returncode == 0, done.stderr
    assert model.load(str(place / "out")).input.range == "signed"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("gone.keras", "--out", "out"), 2, "convert: There is no 'gone.keras'"),
        (("a.tflite", "--out", "out"), 2, "--range"),
        (("a.tflite", "--out", "images", "--range", "unit"), 2, "is not empty"),
        (("a.tflite", "--out", "out", "--range", "1/a"), 2, "MEAN/STD"),
        (("a.tflite", "--out", "out", "--size", "16"), 2, "height, width"),
        (("a.tflite", "--out", "out", "--size", "16,x"), 2, "whole numbers"),
        (("a.onnx", "--out", "out", "--range", "unit"), 1, "convert: ONNX Runtime cannot read a.onnx"),
        (("a.keras", "--out", "out", "--range", "unit"), 3, 'pip install "mlserverless[convert-keras]"'),
    ],
)
def test_how_it_ends(place: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    for name in ("a.onnx", "a.keras"):
        (place / name).write_bytes(b"nonsense")
    done = run(place, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert not (place / "out").exists()


def test_mean_and_std_by_channel(place: Path) -> None:
    done = run(place, "a.tflite", "-o", "out", "--images", "images", "--range", "1,2,3/4,5,6")
    assert done.returncode == 0, done.stderr
    assert model.load(str(place / "out")).input.range == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
