"""Label files: their lines, the archive behind a model, and which one a locale means."""

import io
import os
import struct
import time
import zipfile
from binascii import crc32
from typing import Any

import pytest

from helpers import modelfile
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import labels
from mlserverless.metadata.labels import choose, listed, packed, parse
from mlserverless.metadata.records import LabelFile

BARE = modelfile.model(modelfile.metadata([127.0], [128.0], "labels.txt"))
TEXT = b"cat\ndog\n"
MODEL = modelfile.model(modelfile.metadata([127.0], [128.0], "labels.txt"), {"labels.txt": TEXT})


def archived(*files: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as out:
        for name, text in files:
            out.writestr(name, text)
    return BARE + archive.getvalue()


def fails(data: bytes, name: str = "labels.txt") -> str:
    with pytest.raises(ModelUnavailable) as caught:
        packed(data, name)
    assert str(caught.value).startswith("The model's TFLite metadata is corrupt: ")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\nb", ("a", "b")),
        ("a\nb\n", ("a", "b")),
        (" a \r\nb\r\n", ("a", "b")),
        ("a\n\nb", ("a", "", "b")),
        ("", ("",)),
    ],
)
def test_label_lines(text: str, found: tuple[str, ...]) -> None:
    assert parse(text) == found


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_labels_that_are_stored_or_deflated_are_read(method: int) -> None:
    data = archived(("other.txt", b"x"), ("labels.txt", b"cat\ndog\n" * 100), method=method)
    assert packed(data, "labels.txt") == ("cat", "dog") * 100


def test_archive_may_have_a_comment_and_folders() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("words/de.txt", "Katze\nHund")
        out.comment = b"made by hand" * 100
    assert packed(BARE + archive.getvalue(), "words/de.txt") == ("Katze", "Hund")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BARE, "no archive stands behind the model"),
        (archived(("other.txt", b"cat")), "the archive has no files of that name"),
        (archived(("labels.txt", b"\xff\xfe")), "codec can't decode"),
        (MODEL[:-1], "no archive stands behind the model"),
        (MODEL[: len(BARE)] + MODEL[len(BARE) + 3 :], "cannot be read"),
        (MODEL.replace(TEXT, b"cat\ndoh\n"), "Bad CRC-32"),
    ],
)
def test_labels_that_cannot_be_read_are_told(data: bytes, said: str) -> None:
    assert said in fails(data)


def test_two_files_of_a_name_are_told() -> None:
    """One reader takes the first, another the last."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = archived(("labels.txt", b"a"), ("labels.txt", b"b"))
    assert "the archive has 2 files of that name" in fails(data)


@pytest.mark.parametrize("name", ["/etc/passwd", "../labels.txt", "a/../../b.txt", "a\\b.txt"])
def test_name_that_leads_out_of_an_archive_is_told(name: str) -> None:
    assert "has no name of a file in an archive" in fails(MODEL, name)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 97])
def test_labels_packed_in_another_way_are_told_before_they_are_unpacked(method: int) -> None:
    # LZMA's own header says how much memory is taken, up to 4 GB, and its errors are of no class caught here.
    data = bytearray(MODEL)
    at = data.index(b"PK\x01\x02")
    data[at + 10 : at + 12] = method.to_bytes(2, "little")
    assert f"it is packed by method {method}, not stored or deflated" in fails(bytes(data))


def test_bomb_is_not_unpacked() -> None:
    begun = time.perf_counter()
    data = archived(("labels.txt", bytes(300_000_000)), method=zipfile.ZIP_DEFLATED)
    packing = time.perf_counter() - begun
    begun = time.perf_counter()
    assert "the label file 'labels.txt' is larger than 10,000,000 bytes" in fails(data)
    assert time.perf_counter() - begun < max(1, packing)


def test_label_file_is_not_read_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MAX_LABELS_BYTES", 7)
    assert "the label file 'labels.txt' is larger than 7 bytes" in fails(MODEL)
    monkeypatch.setattr(labels, "MAX_LABELS_BYTES", 8)
    assert packed(MODEL, "labels.txt") == ("cat", "dog")


def test_label_file_of_too_many_lines_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MAX_LABELS", 2)
    assert "has more than 2 lines" in fails(MODEL)
    monkeypatch.setattr(labels, "MAX_LABELS", 3)
    assert packed(MODEL, "labels.txt") == ("cat", "dog")


def test_archive_of_very_many_files_is_not_listed() -> None:
    """zipfile would make an object for each: half a kilobyte for 46 bytes."""
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 1_000_001, 0, 0)
    assert "lists more files than 1,000,000 bytes hold" in fails(BARE + bytes(1_000_001) + end)
    zip64 = struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0)
    assert "lists more files than 1,000,000 bytes hold" in fails(BARE + zip64 + end)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_the_archive_lists_is_known_without_zipfile(method: int) -> None:
    data = archived(("labels_de.txt", b"Katze\nHund\n"), ("labels.txt", TEXT), method=method)
    assert listed(data, "labels.txt", TEXT)
    assert listed(data, "labels_de.txt", b"Katze\nHund\n")
    assert not listed(data, "labels.txt", b"cat\ndot\n")
    assert not listed(data, "labels.txt", TEXT + b"\n")
    assert not listed(data, "others.txt", TEXT)


@pytest.mark.parametrize("data", [b"", b"PK\5\6", BARE, MODEL[:-1], MODEL[:-30] + b"PK\5\6" + bytes(18)])
def test_where_there_is_no_archive_nothing_is_listed(data: bytes) -> None:
    assert not listed(data, "labels.txt", TEXT)


def test_listing_ends_where_it_says_nothing_more() -> None:
    for place in range(len(BARE), len(MODEL)):
        for value in (0, 1, 0x7F, 0xFF):
            data = MODEL[:place] + bytes([value]) + MODEL[place + 1 :]
            assert listed(data, "labels.txt", TEXT) in (True, False)
    assert crc32(TEXT) == int.from_bytes(MODEL[MODEL.index(b"PK\1\2") + 16 :][:4], "little")


LOCALES = (
    LabelFile("en.txt", "en"),
    LabelFile("plain.txt"),
    LabelFile("us.txt", "en-US"),
    LabelFile("zh.txt", "zh_TW"),
)


@pytest.mark.parametrize(
    ("locale", "file"),
    [
        *[("", "plain.txt"), ("en", "en.txt"), ("EN-us", "us.txt"), ("en_US", "us.txt"), ("en-GB", "en.txt")],
        ("zh-tw", "zh.txt"),
    ],
)
def test_locales(locale: str, file: str) -> None:
    chosen = choose(LOCALES, locale)
    assert chosen is not None
    assert chosen.name == file


def test_without_a_plain_one_the_first_is_the_default() -> None:
    assert choose((LOCALES[2], LOCALES[0]), "") == LOCALES[2]
    assert choose((), "") is None


@pytest.mark.parametrize(
    ("files", "there"), [(LOCALES, "en, none (the default), en-US, zh_TW"), ((), "no labels at all")]
)
def test_unknown_locale_names_those_there_are(files: Any, there: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        choose(files, "fr-CA")
    assert f"labels_locale is 'fr-CA'; the locales of the labels in the model's metadata are: {there}." in str(
        caught.value
    )


def test_reading_labels_writes_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packed(MODEL, "labels.txt")
    assert os.listdir(tmp_path) == []
