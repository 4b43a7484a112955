"""``build.json``: what it tells of a package, with no time and no path of this machine in it."""

import hashlib
import json
from pathlib import Path

import pytest

from mlserverless import __version__
from mlserverless.bundle import package, record
from mlserverless.bundle.package import Dropped, Package
from mlserverless.bundle.targets import Target

DROPPED = (Dropped("a.py", 10, "small"), Dropped("lib.so", 900, "large"), Dropped("b.py", 20, "small"))


@pytest.fixture
def made(tmp_path: Path) -> Package:
    """A package with a layer beside its archive."""
    for name, size in {"app.py": 3, "PIL/a.py": 40, "pillow.libs/x.so": 5, "PIL/b/c.py": 2}.items():
        path = tmp_path / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    for name in ("function.zip", "layer.zip"):
        (tmp_path / name).write_bytes(name.encode())
    target, archive = Target("aws", "3.13", "arm64"), tmp_path / "function.zip"
    return Package(
        target, tmp_path, tmp_path / "package", archive, 50, 12, 70_400_000, "12 answers", DROPPED, ("roses",)
    )


def test_it_tells_what_was_built_of_what_and_how_it_was_proven(made: Package) -> None:
    record.write(made, {"pillow": "13.0.0"}, made.out / "layer.zip")
    text = (made.out / package.MADE).read_text()
    digest = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("function.zip", "layer.zip")}
    assert json.loads(text) == {
        "target": "aws:python3.13:arm64",
        "mlserverless": __version__,
        "root": "package",
        "unpacked": 50,
        "zipped": 12,
        "models": ["roses"],
        "proof": "12 answers",
        "peak_megabytes": 70,
        "archives": {
            "function.zip": {"sha256": digest["function.zip"], "bytes": 12},
            "layer.zip": {"sha256": digest["layer.zip"], "bytes": 9},
        },
        "files": record.digests(made.out),
        "packages": {"pillow": "13.0.0"},
        "contents": {"PIL": 42, "pillow": 5, "entry file": 3},
        "dropped_bytes": {"large": 900, "small": 30},
        "dropped": {"small": ["a.py", "b.py"], "large": ["lib.so"]},
    }
    assert str(made.out) not in text


def test_it_is_read_back_as_it_was_written(made: Package) -> None:
    record.write(made, {}, None)
    found = package.read(made.out)
    assert found._replace(dropped=(), peak=0) == made._replace(dropped=(), peak=0)
    assert {(one.path, one.rule) for one in found.dropped} == {(one.path, one.rule) for one in DROPPED}
    assert found.peak == 70_000_000


def test_what_was_not_run_and_has_no_archive_says_so(made: Package) -> None:
    record.write(made._replace(archive=None, peak=None, dropped=()), {}, None)
    told = json.loads((made.out / package.MADE).read_text())
    assert (told["archives"], told["peak_megabytes"], told["dropped"], told["dropped_bytes"]) == ({}, None, {}, {})


def test_the_largest_part_comes_first(made: Package) -> None:
    assert list(record.contents(made.root).items()) == [("PIL", 42), ("pillow", 5), ("entry file", 3)]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("app.py", "entry file"),
        ("PIL/Image.py", "PIL"),
        ("pillow.libs/libjpeg.so", "pillow"),
        ("mlserverless/predictor.py", "mlserverless"),
        ("mlserverless/_models/roses/model.tflite", "model roses"),
        (".python_packages/lib/site-packages/PIL/Image.py", "PIL"),
        (".python_packages/lib/site-packages/mlserverless/_models/roses/model.tflite", "model roses"),
        ("host.json", "entry file"),
    ],
)
def test_each_file_is_counted_to_a_part(path: str, part: str) -> None:
    assert record.part(Path(path)) == part
