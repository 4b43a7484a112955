"""Label files for the archive behind a model: checked, packed, and an old archive taken off."""

import io
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import NoReturn

from mlserverless.errors import ModelUnavailable
from mlserverless.metadata.labels import MAX_LABELS

EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first day
LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
UNIX = 3  # whose the archive says to be on every system, so that its bytes are the same
DOCS = "docs/reference/metadata.md"


def label_files(labels: Sequence[str], by_locale: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, bytes]]:
    """Return file name -> (locale, contents); ModelUnavailable for labels that would not be read back so."""
    files: dict[str, tuple[str, bytes]] = {}
    named = [("labels.txt", "", labels)] if labels else []
    for locale in by_locale:
        if not LOCALE.fullmatch(locale):
            refuse(f"the locale {locale!r} is none: a language and perhaps a region, as de or en-US")
    named += [(f"labels_{locale}.txt", locale, by_locale[locale]) for locale in sorted(by_locale)]
    for file, locale, lines in named:
        if len(lines) != len(named[0][2]):
            refuse(f"{file} has {len(lines):,} labels, {named[0][0]} {len(named[0][2]):,}")
        if not 0 < len(lines) <= MAX_LABELS:
            refuse(f"{file} has {len(lines):,} labels; 1 to {MAX_LABELS:,} can be read")
        for line in lines:
            if "\n" in line or line.strip() != line:
                refuse(f"the label {line!r} has a line break or blanks around it, which are not read back")
        files[file] = (locale, ("\n".join(lines) + "\n").encode())
    return files


def removed(model: bytes) -> bytes:
    """Return ``model`` without the archive behind it."""
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            return model[: min((entry.header_offset for entry in archive.infolist()), default=archive.start_dir)]
    except (zipfile.BadZipFile, ValueError, struct.error):  # none stands there
        return model


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of ``files``, not compressed, the same bytes every time; b"" for none."""
    if not files:
        return b""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        for file, text in files.items():
            entry = zipfile.ZipInfo(file, EPOCH)
            entry.create_system = UNIX
            archive.writestr(entry, text)
    return held.getvalue()


def refuse(told: str) -> NoReturn:
    """Raise the error that says why metadata cannot be written."""
    raise ModelUnavailable(f"The metadata cannot be written: {told}. See {DOCS}.")
