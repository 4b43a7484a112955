"""Archives that are the same bytes whenever and wherever they are made: sorted, without times or owners.

The bytes are zlib's, so two machines agree where their Pythons have the same zlib.
"""

import base64
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_FILE, _PROGRAM = 0o100644, 0o100755


def files(root: Path) -> list[Path]:
    """Return the files below ``root``, relative to it, sorted by their names' bytes."""
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: path.as_posix().encode())


def write_zip(root: Path, out: Path, prefix: str = "") -> None:
    """Write the files below ``root`` into the zip ``out``, their names after ``prefix``."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files(root):
            add(archive, prefix + path.as_posix(), (root / path).read_bytes())


def add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add ``data`` as ``name``."""
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system = 3  # Unix, on whatever machine
    entry.external_attr = (_PROGRAM if ".so" in name.rpartition("/")[2] else _FILE) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)


def write_wheel(root: Path, folder: Path, name: str, version: str, tag: str, python: str) -> Path:
    """Write the files below ``root`` as a wheel into ``folder``, and return its path.

    ``tag`` is as ``cp313-cp313-manylinux_2_35_x86_64``. It asks for no other package: it has all that it needs.
    What others tell of themselves, licences above all, goes below its own: pip takes one dist-info a wheel.
    """
    info = f"{name}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: =={python}.*\n"
    wheel = f"Wheel-Version: 1.0\nGenerator: mlserverless {version}\nRoot-Is-Purelib: false\nTag: {tag}\n"
    held = {_within(path.as_posix(), info): (root / path).read_bytes() for path in files(root)}
    held |= {f"{info}/METADATA": about.encode(), f"{info}/WHEEL": wheel.encode()}
    record = [*_recorded(held.items()), f"{info}/RECORD,,"]
    held[f"{info}/RECORD"] = ("\n".join(record) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, data in held.items():
            add(archive, path, data)
    return out


def _within(name: str, info: str) -> str:
    top, _, rest = name.partition("/")
    return f"{info}/licenses/{top.removesuffix('.dist-info')}/{rest}" if top.endswith(".dist-info") else name


def _recorded(held: Iterable[tuple[str, bytes]]) -> list[str]:
    digests = ((path, hashlib.sha256(data).digest(), len(data)) for path, data in held)
    return [f"{path},sha256={base64.urlsafe_b64encode(d).rstrip(b'=').decode()},{n}" for path, d, n in digests]


def sha256(path: Path) -> str:
    """Return the sha256 of the file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def size(root: Path) -> int:
    """Return the bytes of all files below ``root``."""
    return sum((root / path).stat().st_size for path in files(root))
