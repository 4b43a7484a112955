"""Label files: their lines, those that stand in the archive behind a model, and which one a locale means."""

import struct
from typing import TYPE_CHECKING

from mlserverless.errors import ModelUnavailable
from mlserverless.metadata.read import corrupt
from mlserverless.metadata.records import LabelFile

if TYPE_CHECKING:
    from mlserverless.types import Contents

MAX_LABELS_BYTES = 10_000_000
MAX_LABELS = 1_000_000
MAX_ARCHIVE_BYTES = 100_000_000  # of a model's end, in which the archive is looked for
MAX_DIRECTORY_BYTES = 1_000_000  # of the archive's list of files: ten thousand of them
END, END_BYTES, COMMENT_BYTES = b"PK\x05\x06", 22, 65_535  # a zip archive's last record, and a comment after it
END64 = b"PK\x06\x07"  # stands before it where the archive is one of zip64
ENTRY, ENTRY_BYTES = b"PK\x01\x02", 46  # of its directory; the file's name follows
MAX_LOOK_BYTES, MAX_LOOKS = 65_536, 64  # of the directory without zipfile


def parse(text: str) -> tuple[str, ...]:
    """Return the lines of a label file, stripped; an empty last line is no label."""
    return tuple(line.strip() for line in text.removesuffix("\n").split("\n"))


def packed(model: "Contents", name: str) -> tuple[str, ...]:
    """Return the labels of the associated file ``name``; ModelUnavailable where it cannot be read."""
    try:
        if (text := associated(model, name)).count("\n") >= MAX_LABELS:
            raise ValueError(f"the label file {name!r} has more than {MAX_LABELS:,} lines")
        return parse(text)
    except ValueError as error:
        raise corrupt(error) from error


def associated(model: "Contents", name: str) -> str:
    """Return the text of the file ``name`` in the archive behind ``model``; ValueError where it cannot be read."""
    import io
    import zipfile  # only a model whose labels are packed into the file pays for it
    import zlib

    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise ValueError(f"the associated file {name!r} has no name of a file in an archive")
    tail = model[-MAX_ARCHIVE_BYTES:]
    _check_directory(tail, name)
    try:
        with zipfile.ZipFile(io.BytesIO(tail)) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename == name]
            if len(entries) != 1:
                raise RuntimeError(f"the archive has {len(entries) or 'no'} files of that name")
            # The others take the memory that the file asks for, up to 4 GB, and raise classes of their own.
            if entries[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise RuntimeError(f"it is packed by method {entries[0].compress_type}, not stored or deflated")
            with archive.open(entries[0]) as file:
                text = file.read(MAX_LABELS_BYTES + 1)
    # NotImplementedError (a later version of zip) is a RuntimeError; a negative place raises ValueError.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error) as error:
        raise ValueError(f"the label file {name!r} that it names cannot be read ({error})") from error
    if len(text) > MAX_LABELS_BYTES:
        raise ValueError(f"the label file {name!r} is larger than {MAX_LABELS_BYTES:,} bytes")
    return text.decode()


def _check_directory(tail: bytes, name: str) -> None:
    # zipfile makes an object for every file that the archive lists, however many.
    at = tail.rfind(END, max(0, len(tail) - END_BYTES - COMMENT_BYTES))
    if at < 0 or at + END_BYTES > len(tail):
        raise ValueError(
            f"the label file {name!r} that it names cannot be read (no archive stands behind the model)"
        )
    listed: int = struct.unpack_from("<I", tail, at + 12)[0]
    if listed > MAX_DIRECTORY_BYTES or tail[max(0, at - 20) : at].startswith(END64):
        raise ValueError(f"the archive with {name!r} lists more files than {MAX_DIRECTORY_BYTES:,} bytes hold")


def listed(model: "Contents", name: str, text: bytes) -> bool:
    """Whether the archive behind ``model`` lists the file ``name`` with the size and the CRC-32 of ``text``.

    It saves a cold function zipfile, 5 ms of imports. False only means that this look at its directory, whose
    layout is that of PKWARE's APPNOTE.TXT 4.3.12, did not find it.
    """
    from binascii import crc32

    tail = model[-MAX_LOOK_BYTES:]
    end = tail.rfind(END)
    if end < 0 or end + END_BYTES > len(tail):
        return False
    count, size = struct.unpack_from("<HI", tail, end + 10)
    at, wanted = end - size, name.encode()
    for _ in range(min(count, MAX_LOOKS)):
        if at < 0 or tail[at : at + 4] != ENTRY or at + ENTRY_BYTES > end:
            return False
        crc, _, full, name_size, extra, comment = struct.unpack_from("<IIIHHH", tail, at + 16)
        if tail[at + ENTRY_BYTES : at + ENTRY_BYTES + name_size] == wanted:
            return (full, crc) == (len(text), crc32(text))
        at += ENTRY_BYTES + name_size + extra + comment
    return False


def choose(files: tuple[LabelFile, ...], locale: str) -> LabelFile | None:
    """Return the label file of ``locale``; for "" the one without a locale, or else the first.

    "de-AT" is content with "de". Raises ModelUnavailable, naming those there are, where there is none.
    """
    if not locale:
        return next((file for file in files if not file.locale), files[0] if files else None)
    wanted = _plain(locale)
    for tried in (wanted, wanted.partition("-")[0]):
        for file in files:
            if _plain(file.locale) == tried:
                return file
    there = ", ".join(file.locale or "none (the default)" for file in files) or "no labels at all"
    raise ModelUnavailable(
        f"labels_locale is {locale!r}; the locales of the labels in the model's metadata are: {there}. "
        "See docs/reference/metadata.md."
    )


def _plain(locale: str) -> str:
    return locale.replace("_", "-").lower()
