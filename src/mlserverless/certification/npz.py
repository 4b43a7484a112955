"""Arrays out of an ``.npz`` file that may be anybody's: no pickles, no more bytes than it says, not too many.

``numpy.load`` makes room for the shape that a header claims before it has looked whether that many bytes follow.
Here a member is read only where its header, its length in the archive and the limits fit each other
(numpy.lib.format, "Format specification").
"""

import zipfile
import zlib
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from mlserverless.certification.arrays import Array
from mlserverless.errors import InvalidRequest

DOCS = "docs/how-to/certify-a-model.md"
MAX_BYTES = 2_000_000_000  # of all arrays together, unpacked
MAX_MEMBERS = 10_000
MAX_HEADER = 10_000  # bytes; numpy.load's own limit
MAX_DIMENSIONS = 8
MAX_TOLD = 300  # letters of another's error
KINDS = "uifU"  # whole numbers with and without a sign, floats, texts


def read(path: Path, known: "Any", limit: int = MAX_BYTES) -> dict[str, Array]:
    """Return the arrays of the file at ``path`` by name; ``known(name)`` tells whether a name is one to be read.

    Raises InvalidRequest for what is no such file, for names that are not known, for other than plain numbers and
    texts, for values that are not finite, and for more than ``limit`` bytes.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise InvalidRequest(f"{path} cannot be read: it is no file.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check(path, members, known, limit)
            return {_name(one): _array(archive, one, path) for one in members}
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}.") from error
    # MemoryError is what Python's parser raises of a header that is nested too deeply.
    except (zipfile.BadZipFile, zlib.error, EOFError, MemoryError, RuntimeError, ValueError) as error:
        told = str(error)[:MAX_TOLD].rstrip(".") or type(error).__name__  # numpy repeats the whole header
        raise InvalidRequest(f"{path} is not an .npz file that can be read: {told}. See {DOCS}.") from error


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _check(path: Path, members: list[zipfile.ZipInfo], known: "Any", limit: int) -> None:
    if len(members) > MAX_MEMBERS:
        raise InvalidRequest(f"{path} has {len(members):,} arrays; at most {MAX_MEMBERS:,} are read.")
    if (size := sum(member.file_size for member in members)) > limit:
        raise InvalidRequest(
            f"{path} has {size:,} bytes unpacked; at most {limit:,} are read. Save fewer images: 8 to 50 tell as "
            "much."
        )
    names = [_name(member) for member in members]
    if len(set(names)) < len(names):
        raise InvalidRequest(f"{path} has an array twice.")
    for name in names:
        if not known(name):
            raise InvalidRequest(f"{path}: {name:.80} is not known. See {DOCS} for the keys.")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Array:

    where = f"{path}: {_name(member)}"
    with archive.open(member) as file:
        data = file.read(member.file_size + 1)
    if len(data) != member.file_size:
        raise InvalidRequest(f"{where} has not the {member.file_size:,} bytes that it announces.")
    buffer = BytesIO(data)
    version = npy.read_magic(buffer)  # type: ignore[no-untyped-call]
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise InvalidRequest(f"{where} is of the .npy version {version}; read are 1.0 to 3.0.")
    # Version 3.0 differs in the header's encoding only, for field names, which are refused below.
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = header(buffer, max_header_size=MAX_HEADER)  # type: ignore[no-untyped-call, call-arg, unused-ignore]
    if dtype.kind not in KINDS or dtype.hasobject:
        told = "pickled objects, which are not read" if dtype.hasobject else f"{dtype}"
        raise InvalidRequest(f"{where} holds {told}; read are numbers and texts. See {DOCS}.")
    if len(shape) > MAX_DIMENSIONS or prod(shape) * dtype.itemsize != len(data) - buffer.tell():
        raise InvalidRequest(f"{where} claims the shape {shape}, for which it has not the bytes.")
    array = np.frombuffer(data, dtype, offset=buffer.tell())
    array = array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidRequest(f"{where} has NaN or infinite values: what was saved is not what a model can be fed.")
    return array
