"""The section ``[certificate]``: what it may say, and when it says nothing any more."""

from pathlib import Path
from typing import Any

import pytest

from helpers.modelfolder import fails, folder
from mlserverless import certificate, model
from mlserverless.errors import ModelUnavailable

HASH = "0123456789abcdef" * 4
TABLE = {"reference": HASH, "model": HASH, "pipeline": HASH, "images": 3, "input": 0.5, "date": "2026-11-28"}
INPUT = '[input]\nrange = "unit"\n'


def section(table: dict[str, Any]) -> str:
    lines = (
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in table.items()
    )
    return "\n".join(["[certificate]", *lines, ""])


def certified(path: Path, toml: str = INPUT, **changes: Any) -> model.Model:
    """Return a model whose certificate is of just what ``toml`` says, but for ``changes`` to it."""
    plain = model.load(folder(path, toml))
    fitting = {**TABLE, "model": plain.sha256, "pipeline": certificate.pipeline(plain), **changes}
    return model.load(folder(path, toml + section(fitting)))


def test_what_is_written_is_kept(tmp_path: Path) -> None:
    found = certified(tmp_path / "mine")
    assert dict(found.certificate)["images"] == 3
    assert certificate.stale(found) == ""


def test_a_model_without_one_is_not_stale(tmp_path: Path) -> None:
    assert certificate.stale(model.load(folder(tmp_path / "mine", INPUT))) == ""
    assert certificate.check({}, "model.toml") == {}


def test_one_of_another_file_is_stale_and_both_hashes_are_told(tmp_path: Path) -> None:
    found = certified(tmp_path / "mine", model=HASH)
    assert HASH in certificate.stale(found)
    assert found.sha256 in certificate.stale(found)


@pytest.mark.parametrize(
    "toml",
    [
        '[input]\nrange = "signed"\n',
        '[input]\nrange = "unit"\nfit = "crop"\n',
        '[input]\nrange = "unit"\n[output]\nactivation = "softmax"\n',
        'labels = "labels.txt"\n[input]\nrange = "unit"\n',
        'task = "raw"\n[input]\nrange = "unit"\n',
        'signature = "other"\n[input]\nrange = "unit"\n',
    ],
)
def test_whatever_decides_an_answer_makes_it_stale(tmp_path: Path, toml: str) -> None:
    pipeline = dict(certified(tmp_path / "before").certificate)["pipeline"]
    changed = certified(tmp_path / "after", toml, pipeline=pipeline)
    assert "changed since" in certificate.stale(changed)


@pytest.mark.parametrize(
    "toml",
    [
        '# a comment\n[input]\nrange = "unit"\nresize = "bilinear"\n',
        'name = "another"\n[input]\nfit = "stretch"\nrange = "unit"\n',
        'task = "classify"\n[input]\nrange = "unit"\n',
    ],
)
def test_what_decides_nothing_does_not(tmp_path: Path, toml: str) -> None:
    pipeline = dict(certified(tmp_path / "before").certificate)["pipeline"]
    assert certificate.stale(certified(tmp_path / "after", toml, pipeline=pipeline)) == ""


def test_a_presets_size_is_the_same_said_or_not(tmp_path: Path) -> None:
    preset = '[input]\npreset = "keras/xception"\n'
    found = [folder(tmp_path / str(at), preset + more) for at, more in enumerate(("", "size = [299, 299]\n"))]
    one, other = (certificate.pipeline(model.load(place)) for place in found)
    assert one == other


def test_labels_that_stand_for_none_are_none(tmp_path: Path) -> None:
    plain = model.load(folder(tmp_path / "mine", INPUT))
    numbered = plain._replace(labels=("0", "1", "2"))
    assert certificate.pipeline(numbered) == certificate.pipeline(plain)
    assert certificate.pipeline(plain._replace(labels=("0", "2"))) != certificate.pipeline(plain)


def test_a_change_of_label_order_is_another_pipeline(tmp_path: Path) -> None:
    plain = model.load(folder(tmp_path / "mine", INPUT))
    one, other = (plain._replace(labels=labels) for labels in (("cat", "dog"), ("dog", "cat")))
    assert certificate.pipeline(one) != certificate.pipeline(other)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "abc"}, "certificate.model is 'abc', not a sha256"),
        ({"model": HASH.upper()}, "not a sha256"),
        ({"images": 1.5}, "certificate.images is 1.5, not a number from 0"),
        ({"input": -1}, "certificate.input is -1, not a number from 0"),
        ({"top1": "all"}, "certificate.top1 is 'all', not a number from 0"),
        ({"engine": 3}, "certificate.engine is 3, not a text"),
        ({"signed_by": "me"}, "[certificate] signed_by is not known; known are reference, model"),
    ],
)
def test_one_that_certify_did_not_write_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    where = folder(tmp_path / "mine", section({**TABLE, **change}))
    assert told in fails(where)
    assert "mlserverless certify" in fails(where)


@pytest.mark.parametrize("key", ["reference", "model", "pipeline", "images", "date"])
def test_one_that_lacks_what_it_is_about_is_refused(key: str) -> None:
    with pytest.raises(ModelUnavailable, match=f"has no {key}"):
        certificate.check({name: value for name, value in TABLE.items() if name != key}, "model.toml")


def test_one_that_is_no_table_is_refused(tmp_path: Path) -> None:
    assert "certificate is 'yes'" in fails(folder(tmp_path / "mine", 'certificate = "yes"\n'))
