"""The certificate in a model.toml: everything else keeps its bytes."""

import os
import tomllib
from pathlib import Path

import pytest

from mlserverless import toml
from mlserverless.certification.writing import replaced, write
from mlserverless.errors import ModelUnavailable

HASH = "ab" * 32
TABLE = {"reference": HASH, "images": 3, "input": 0.0000012, "scores": 0.0, "date": "2026-11-28"}
COMMENTED = """\
# How mine wants its images.
name = "mine"   # its name

[input]
range = { mean = [1, 2, 3], std = 4 } # why
"""


def test_it_is_added_at_the_end_and_all_else_kept() -> None:
    text = replaced(COMMENTED.encode(), TABLE).decode()
    assert text.startswith(COMMENTED + "\n[certificate]\n")
    assert tomllib.loads(text)["certificate"] == TABLE


def test_writing_it_again_changes_nothing() -> None:
    once = replaced(COMMENTED.encode(), TABLE)
    assert replaced(once, TABLE) == once


def test_an_older_one_is_replaced_where_it_stands_with_its_comments_kept() -> None:
    around = '{}[certificate] # of the first model\n{}# by me\n{}\n# next\n[output]\nactivation = "none"\n'
    old = around.format('name = "a"\n', "", 'reference = "x"\nimages = 1 # few\n')
    new = around.format('name = "a"\n', "images = 2\n", "")
    assert replaced(old.encode(), {"images": 2}).decode() == new


def test_line_ends_and_a_missing_last_one_are_kept() -> None:
    text = replaced(b'name = "a"\r\n\r\n[input]\r\nrange = "raw"', {"images": 2})
    assert text == b'name = "a"\r\n\r\n[input]\r\nrange = "raw"\r\n\r\n[certificate]\r\nimages = 2\r\n'
    assert replaced(b"[certificate]", {"images": 2}) == b"[certificate]\nimages = 2\n"
    assert replaced(b"", {"images": 2}) == b"[certificate]\nimages = 2\n"


def test_a_function_reads_it_without_tomllib() -> None:
    text = replaced(b'name = "mine"\n', {**TABLE, "output": 1e-12, "answer": 123456.75}).decode()
    found = toml.plain(text)
    assert found is not None
    assert found["certificate"] == {**TABLE, "output": 0.0, "answer": 123456.75}


def test_a_file_is_replaced_at_once_and_keeps_its_rights(tmp_path: Path) -> None:
    path, link = tmp_path / "kept.toml", tmp_path / "model.toml"
    path.write_text(COMMENTED)
    path.chmod(0o640)
    link.symlink_to(path)
    write(link, TABLE)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert tomllib.loads(path.read_text())["certificate"]["reference"] == HASH
    assert sorted(os.listdir(tmp_path)) == ["kept.toml", "model.toml"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'certificate = { model = "x" }\n', "cannot be written: Cannot declare"),
        (b'certificate.model = "x"\n', "cannot be written"),
        (b'name = """\n[certificate]\n"""\n', "another way"),
        (b"name = \n", "cannot be written"),
    ],
)
def test_what_cannot_be_replaced_is_told_and_left(tmp_path: Path, text: bytes, told: str) -> None:
    path = tmp_path / "model.toml"
    path.write_bytes(text)
    with pytest.raises(ModelUnavailable, match=told):
        write(path, TABLE)
    assert path.read_bytes() == text


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"model\.toml cannot be written: No such file"):
        write(tmp_path / "model.toml", TABLE)


def test_a_text_that_is_not_plain_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_text("")
    with pytest.raises(ModelUnavailable, match="is no plain text"):
        write(tmp_path / "model.toml", {"engine": 'a"b'})
