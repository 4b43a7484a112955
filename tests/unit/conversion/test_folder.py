"""The model folder: whole or not at all, and what stands in it."""

from pathlib import Path
from typing import Any

import pytest

from helpers.convertible import NAMES, network
from mlserverless import model
from mlserverless.conversion import folder
from mlserverless.conversion.problem import Misused
from mlserverless.model_toml import read_input


def test_it_is_there_when_all_is_done(tmp_path: Path) -> None:
    with folder.begun(tmp_path / "new" / "out") as made:
        (made / "a").write_text("1")
        assert not (tmp_path / "new" / "out").exists()
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["out", "a"]
    assert (tmp_path / "new" / "out").stat().st_mode & 0o777 == 0o755


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("before")

    def failing() -> None:
        with folder.begun(tmp_path / "out") as made:
            (made / "a").write_text("after")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a").read_text() == "before"


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("LICENSE", "model.toml"):
        (tmp_path / "out" / name).write_text("before")
    with folder.begun(tmp_path / "out") as made:
        (made / "model.toml").write_text("after")
    assert (tmp_path / "out" / "LICENSE").read_text() == "before"
    assert (tmp_path / "out" / "model.toml").read_text() == "after"


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    folder.check(tmp_path, force=False)
    (tmp_path / "a").write_text("1")
    folder.check(tmp_path, force=True)
    with pytest.raises(Misused, match="is not empty"):
        folder.check(tmp_path, force=False)
    with pytest.raises(Misused, match="is a file"):
        folder.check(tmp_path / "a", force=True)


def written(place: Path, given: dict[str, Any], channels: str = "rgb", name: str = "mine") -> str:
    return folder.write(
        place,
        network(),
        suffix=".tflite",
        name=name,
        description="from a test",
        labels=NAMES,
        given=given,
        wanted=read_input(given, "the test"),
        channels=channels,
        output={"activation": "none"},
    )


@pytest.mark.parametrize(
    ("scale", "mean", "std"),
    [
        ("raw", (0,), (1,)),
        ("unit", (0,), (255,)),
        ("signed", (127.5,), (127.5,)),
        ("imagenet", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        ({"mean": 127, "std": 128}, (127,), (128,)),
    ],
)
def test_what_was_written_can_be_loaded(tmp_path: Path, scale: Any, mean: Any, std: Any) -> None:
    digest = written(tmp_path, {"range": scale, "fit": "crop", "crop": 0.875, "size": [16, 16]})
    loaded = model.load(str(tmp_path))
    assert (loaded.name, loaded.sha256, loaded.pinned) == ("mine", digest, True)
    assert (loaded.labels, loaded.output.activation) == (NAMES, "none")
    assert (loaded.input.fit, loaded.input.crop, loaded.input.size) == ("crop", 0.875, (16, 16))
    told = loaded.metadata.inputs[0]
    assert told.mean == pytest.approx(mean)
    assert told.std == pytest.approx(std)
    assert told.color_space == "rgb"
    assert loaded.metadata.outputs[0].labels[0].name == "labels.txt"


def test_metadata_has_no_word_for_bgr(tmp_path: Path) -> None:
    written(tmp_path, {"range": "caffe"}, "bgr")
    told = model.load(str(tmp_path)).metadata.inputs[0]
    assert (told.mean, told.std, told.color_space) == ((), (), "")


def test_caffe_in_rgb() -> None:
    wanted = read_input({"range": "caffe", "channels": "rgb"}, "the test")
    assert folder.normalisation(wanted, "rgb") == ((123.68, 116.779, 103.939), (1.0,))
    assert folder.normalisation(read_input({}, "the test"), "gray") == ((), ())


def test_texts_and_flags_in_toml(tmp_path: Path) -> None:
    given = {"range": "raw", "resizer": "tensorflow", "antialias": True}
    written(tmp_path, given, name='a "quoted" \\ name\x7f')
    loaded = model.load(str(tmp_path))
    assert loaded.name == 'a "quoted" \\ name\x7f'
    assert loaded.input.antialias is True
