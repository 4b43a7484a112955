"""What an image file says before its pixels, read without Pillow: its size, and the parts that make the picture.

A small file can hold a lot beside its picture (texts and profiles to inflate, thumbnails, scans, directories of a
million entries). Such parts are left out, and what has too many of them is refused, before a plugin sees the file.
"""

import re
from binascii import crc32
from typing import Literal

from mlserverless.errors import ImageTooLarge, UndecodableImage

MAX_PARTS = 20_000  # segments or chunks: an image of 10 MB has some thousands
MAX_JUNK = 65_536  # bytes between the segments of a JPEG, where there should be none
MAX_ENTRIES = 1000  # of a TIFF's directory, usually 20
MAX_VALUES = 100_000  # of an entry: the strips or tiles of the largest picture
MAX_SCANS = 50  # of a JPEG, usually 10; each takes another pass over all pixels

# PNG chunks of numbers, and their bytes (PNG, third edition, 11.3): no reason to copy the file without them
HARMLESS = {b"pHYs": 9, b"tIME": 7, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1}

# JPEG segments, by the markers of ITU T.81, table B.1
SEGMENT = re.compile(rb"\xff([^\x00\xff])")
IN_SCANS = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # the restart markers stand among the pixels
BARE = {0x01, *range(0xD0, 0xDA)}  # no length follows
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = (b"\xc2", b"\xc6", b"\xca", b"\xce")
TABLES = FRAMES | {0xC4, 0xCC, 0xDB, 0xDD}  # what the pixels are decoded with
COLOUR = {0xE0, 0xEE}  # JFIF and Adobe say which colours the components are


def webp_size(data: bytes) -> tuple[int, int]:
    """Return the width and height of the canvas of a WebP file.

    The plugin makes its canvases as it opens the file, and calls too large a one corrupt.
    """
    kind, numbers = data[12:16], data[20:30]
    if kind == b"VP8X":
        return int.from_bytes(numbers[4:7], "little") + 1, int.from_bytes(numbers[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(numbers[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(numbers[6:8], "little") & 0x3FFF, int.from_bytes(numbers[8:10], "little") & 0x3FFF


def tiff_size(data: bytes) -> tuple[int, int]:
    """Return the width and height that the first directory of a TIFF file tells.

    Raises ImageTooLarge for more entries, or values of one, than a picture has: the plugin makes objects of all.
    """
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(at: int, width: int) -> int:
        return int.from_bytes(data[at : at + width], order)

    start, sides = number(4, 4), {256: 0, 257: 0}  # ImageWidth, ImageLength
    if (entries := number(start, 2)) > MAX_ENTRIES:
        raise ImageTooLarge(
            f"The image's directory has {entries:,} entries; at most {MAX_ENTRIES:,} are accepted."
        )
    for entry in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, values = number(entry, 2), number(entry + 2, 2), number(entry + 4, 4)
        if values > MAX_VALUES and kind not in (1, 2, 6, 7):  # bytes and text are one object
            raise ImageTooLarge(
                f"The image's tag {tag} has {values:,} values; at most {MAX_VALUES:,} are accepted."
            )
        if tag in sides:
            sides[tag] = number(entry + 8, 2 if kind == 3 else 4)
    return sides[256], sides[257]


def png(data: bytes) -> bytes:
    """Return a PNG file with the chunks that make its first picture, and its Exif block.

    Pillow would inflate each profile and text, 1 MB from 1 KB. Raises ImageTooLarge for too many chunks.
    """
    head, pixels, exif, end, whole = [slice(8)], list[slice](), slice(0), 8, True
    for _ in range(MAX_PARTS):
        at, kind = end, data[end + 4 : end + 8]
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if kind == b"IDAT":
            pixels.append(slice(at, end))
        elif kind in (b"IHDR", b"PLTE", b"tRNS") and not pixels:
            head.append(slice(at, end))
        elif kind == b"eXIf":  # may stand after the pixels
            exif, whole = exif if exif.stop else slice(at, end), False
        elif kind != b"IEND":
            # Among the pixels it would end them for Pillow.
            whole = whole and not pixels and HARMLESS.get(kind) == end - at - 12 and _sound(data[at + 4 : end])
        if kind == b"IEND" or end >= len(data):
            if whole:
                return data
            last = slice(at, end) if kind == b"IEND" else slice(0)
            view = memoryview(data)
            return b"".join(view[part] for part in (*head, exif, *pixels, last))
    raise ImageTooLarge(f"The image has more than {MAX_PARTS:,} chunks.")


def _sound(chunk: bytes) -> bool:
    # Pillow refuses the file for a checksum that is wrong, where browsers leave the chunk out.
    return crc32(chunk[:-4]) == int.from_bytes(chunk[-4:])


def jpeg(data: bytes) -> tuple[bytes, bytes, int]:
    """Return a JPEG file with what its pixels need; its first Exif block; its number of scans.

    Pillow would read every entry of all Exif blocks and warn of each that is wrong. libjpeg keeps all
    coefficients where there are several scans. Raises UndecodableImage where no pixels follow, ImageTooLarge for
    too many scans.
    """
    kept, exif, frame, at, junk = [data[:2]], b"", b"", 2, MAX_JUNK
    for _ in range(MAX_PARTS):
        if not (found := SEGMENT.search(data, at, at + junk)):
            break
        junk -= found.start() - at
        marker, at = found[1][0], found.end()
        if marker in BARE:
            continue
        start, at = at - 2, at + int.from_bytes(data[at : at + 2])
        if at < start + 4 or at > len(data):
            break
        segment = data[start:at]
        if marker == 0xDA:
            several = frame[1:2] in PROGRESSIVE or segment[4:5] < frame[9:10]  # components: here, and in all
            scans = _scans(data, at) if several else 1
            if sum(map(len, kept)) == start:  # nothing is left out
                return data, exif, scans
            return b"".join((*kept, memoryview(data)[start:])), exif, scans
        if marker in TABLES or marker in COLOUR:
            kept.append(segment)
        if marker in FRAMES:
            frame = segment
        if marker == 0xE1 and segment[4:10] == b"Exif\0\0" and not exif:
            exif = segment[4:]
    raise UndecodableImage("The image is truncated or corrupt: no pixels follow its header.")


def _scans(data: bytes, at: int) -> int:
    scans = 1
    for _ in range(MAX_PARTS):
        found = IN_SCANS.search(data, at)
        if not found or found[1] == b"\xd9":
            return max(scans, 2)  # the caller knows that the first is not all
        marker, at = found[1][0], found.end()
        if marker not in BARE:
            at += int.from_bytes(data[at : at + 2])
        scans += marker == 0xDA
        if scans > MAX_SCANS:
            break
    raise ImageTooLarge(f"The image has more than {MAX_SCANS} scans.")
