"""What a SOURCE means, and what is read of it."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlserverless import stores
from mlserverless.batch.engine import Item
from mlserverless.batch.sources import SUFFIXES, Source, SourceUnreadable, find
from mlserverless.formats import PLUGINS

FORMATS = ("jpeg", "png")
LIST = b"\xef\xbb\xbf# photos\nhttps://x.example/a.jpg \r\n\n  \nhttps://x.example/b.jpg#part"
READ = [Item(0, "https://x.example/a.jpg"), Item(1, "https://x.example/b.jpg#part")]


def refused(text: str, column: str | None = None) -> str:
    with pytest.raises(SourceUnreadable) as caught:
        find(text, column, FORMATS)
    return str(caught.value)


def test_every_format_has_suffixes() -> None:
    assert list(SUFFIXES) == list(PLUGINS)


def test_a_text_has_a_url_a_line(tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_bytes(LIST)
    source = find(str(tmp_path / "urls.txt"), None, FORMATS)
    assert list(source.items()) == list(source.items()) == READ
    assert source.total() == 2
    assert source.name == str(tmp_path / "urls.txt")


def test_a_list_opens_files_only_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("/etc/hostname\n")
    assert list(find(str(tmp_path / "list"), None, FORMATS).items()) == [Item(0, "/etc/hostname", False)]
    assert list(find(str(tmp_path / "list"), None, FORMATS, files=True).items()) == [
        Item(0, "/etc/hostname", True)
    ]


def test_standard_input_is_a_list_of_unknown_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(LIST)))
    source = find("-", None, FORMATS)
    assert (source.name, source.total(), list(source.items())) == ("-", None, READ)


def test_a_line_that_is_not_utf8_is_told_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_bytes(b"https://x.example/a.jpg\n\xff\n")
    items = find(str(tmp_path / "urls.txt"), None, FORMATS).items()
    assert next(items).index == 0
    with pytest.raises(SourceUnreadable, match=r"^Line 2 of SOURCE is not UTF-8\.$"):
        next(items)


def test_a_folder_is_walked_in_order_by_suffix(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "b/10.jpeg", "a/z.png", "c.png", "notes.txt", "d.gif", "b/deep/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    source = find(str(tmp_path), None, FORMATS)
    items = list(source.items())
    told = [os.path.relpath(item.source, tmp_path) for item in items]
    assert told == ["c.png", "a/z.png", "b/10.jpeg", "b/2.JPG", "b/deep/1.jpg"]
    assert all(item.file for item in items)
    assert source.total() == 5


def test_a_store_is_listed_by_suffix(monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(prefix: str) -> list[str]:
        return [f"{prefix}/{name}" for name in ("a.jpg", "b.txt", "c.PNG")]

    monkeypatch.setattr(stores, "listed", listed)
    source = find("s3://bucket/photos", None, FORMATS)
    assert [item.source for item in source.items()] == ["s3://bucket/photos/a.jpg", "s3://bucket/photos/c.PNG"]
    assert (source.name, source.total(), source.files) == ("s3://bucket/photos", None, False)
    assert find("GS://bucket/", None, FORMATS).name == "GS://bucket"


def test_what_is_not_there_is_told_with_what_is_taken(tmp_path: Path) -> None:
    assert refused(str(tmp_path / "no.txt")).startswith(
        f"There is no '{tmp_path / 'no.txt'}': SOURCE is a text, .csv"
    )


def test_a_column_is_for_tables(tmp_path: Path) -> None:
    assert refused(str(tmp_path), "url") == "--column is for a .csv or .parquet file, and SOURCE is neither."


def test_items_are_counted_from_0() -> None:
    source = Source("x", lambda: iter("ab"), lambda: 2, False)
    assert list(source.items()) == [Item(0, "a"), Item(1, "b")]
