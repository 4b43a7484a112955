"""What a build wrote, read back: for the doctor and the deployment."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlserverless.bundle import package
from mlserverless.bundle.package import Dropped, Package
from mlserverless.bundle.targets import Target

TOLD: dict[str, Any] = {
    "target": "aws:python3.13:arm64",
    "root": "package",
    "unpacked": 10,
    "zipped": 4,
    "proof": "12 golden answers",
    "peak_megabytes": 70,
    "archives": {"function.zip": {}, "layer.zip": {}},
    "dropped": {"rule": ["a.py", "b.py"]},
    "models": ["roses", "asters"],
}


def written(out: Path, **changes: Any) -> Path:
    (out / package.MADE).write_text(json.dumps(TOLD | changes))
    return out


def test_it_is_read_as_it_was_built(tmp_path: Path) -> None:
    found = package.read(written(tmp_path))
    dropped = (Dropped("a.py", 0, "rule"), Dropped("b.py", 0, "rule"))
    archive, target = tmp_path / "function.zip", Target("aws", "3.13", "arm64")
    proof, models = "12 golden answers", ("roses", "asters")
    root = tmp_path / "package"
    assert found == Package(target, tmp_path, root, archive, 10, 4, 70_000_000, proof, dropped, models)


def test_an_image_has_no_archive_and_what_was_not_run_no_peak(tmp_path: Path) -> None:
    found = package.read(written(tmp_path, archives={}, peak_megabytes=None, dropped={}))
    assert (found.archive, found.peak, found.dropped) == (None, None, ())


def without(name: str) -> str:
    return json.dumps({key: value for key, value in TOLD.items() if key != name})


@pytest.mark.parametrize(
    "text", [None, "{", "[]", without("target"), json.dumps(TOLD | {"target": "heroku"}), without("dropped")]
)
def test_what_is_no_package_is_told_with_how_to_make_one(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / package.MADE).write_text(text)
    with pytest.raises(ValueError, match=r"holds no package: `mlserverless build` writes one, with a build\.json"):
        package.read(tmp_path)


def test_a_moved_one_lies_elsewhere_with_the_same_names(tmp_path: Path) -> None:
    found = package.read(written(tmp_path)).moved(Path("/there"))
    assert (found.out, found.root, found.archive) == (
        Path("/there"),
        Path("/there/package"),
        Path("/there/function.zip"),
    )
    assert found.moved(tmp_path) == package.read(tmp_path)
    assert package.read(written(tmp_path, archives={})).moved(Path("/there")).archive is None
