"""Images made wrong, always the same ones for a seed: bits, runs, ends, splices, sizes, chunks."""

import struct
from collections.abc import Callable, Iterator
from random import Random
from zlib import crc32

from mlserverless.formats import sniff

# Large and allowed, and over the limits.
SIZES = [(7071, 7071), (5000, 5000), (3535, 3535), (65_535, 762), (762, 65_535), (65_500, 763), (224, 65_535)]
SIZES += [(1, 65_535), (65_535, 1), (16_383, 762), (16_383, 16_383), (50_000_000, 1), (65_536, 65_536), (0, 0)]
SIZES += [(2**31, 2**31)]
CHUNKS = [b"tRNS", b"PLTE", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"iCCP", b"zTXt", b"IHDR", b"gAMA"]
SEGMENTS = [0xC0, 0xC2, 0xC4, 0xC9, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE]
PARTS = [b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"ICCP", b"XMP ", b"VP8 ", b"VP8L", b"VP8X"]
EXIF = b"\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0%c\0\0\0\0\0\0\0"


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a PNG chunk, with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))


def segment(marker: int, data: bytes) -> bytes:
    """Return a JPEG segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def part(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a WebP file."""
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def mutants(images: list[tuple[str, bytes]], number: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield ``number`` mutants of ``images`` (name, bytes), each with a name that says how it was made."""
    random = Random(seed)
    alike = {kind: [data for _, data in images if sniff(data) == kind] for kind in ("jpeg", "png", "webp")}
    changes: list[Callable[[bytes, list[bytes], Random], bytes]]
    changes = [_bits, _run, _end, _splice, _size, _insert, _insert]
    for index in range(number):
        name, data = random.choice(images)
        change = changes[index % len(changes)]
        wrong = change(data, alike[sniff(data)], random)
        if random.random() < 0.2:
            wrong = _bits(wrong, [], random)
        yield f"{name} {change.__name__[1:]} {index}", wrong


def _place(data: bytes, random: Random) -> int:
    # Half of them near the beginning, where the structure stands.
    return random.randrange(max(1, min(len(data), 600) if random.random() < 0.5 else len(data)))


def _bits(data: bytes, _: list[bytes], random: Random) -> bytes:
    wrong = bytearray(data or b"\0")
    for _flip in range(random.choice([1, 1, 2, 8, 30])):
        wrong[_place(wrong, random)] ^= 1 << random.randrange(8)
    return bytes(wrong)


def _run(data: bytes, _: list[bytes], random: Random) -> bytes:
    start, length = _place(data, random), random.choice([1, 2, 4, 16, 300])
    filled = random.choice([b"\0" * length, b"\xff" * length, random.randbytes(length)])
    return data[:start] + filled + data[start + length :]


def _end(data: bytes, _: list[bytes], random: Random) -> bytes:
    return data[: _place(data, random)]


def _splice(data: bytes, alike: list[bytes], random: Random) -> bytes:
    return data[: _place(data, random)] + (other := random.choice(alike))[_place(other, random) :]


def _size(data: bytes, _: list[bytes], random: Random) -> bytes:
    width, height = random.choice(SIZES)
    if sniff(data) == "png":
        depth = random.choice(
            [data[24:29]] * 3 + [bytes([random.choice([1, 8, 16]), random.choice([0, 2, 3, 4, 6])])]
        )
        header = (
            struct.pack(">II", width, height) + depth.ljust(5, b"\0")[:4] + random.choice([data[28:29], b"\1"])
        )
        return data[:8] + chunk(b"IHDR", header) + data[33:]
    wrong = bytearray(data)
    if sniff(data) == "jpeg":
        for at in range(len(data) - 9):
            if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC1, 0xC2):
                wrong[at + 5 : at + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
                wrong[at + 1] = random.choice([data[at + 1], 0xC0, 0xC1, 0xC2])
                break
        return bytes(wrong)
    width, height = min(width, 1 << 24), min(height, 1 << 24)
    if data[12:16] == b"VP8X":
        wrong[24:30] = (max(width, 1) - 1).to_bytes(3, "little") + (max(height, 1) - 1).to_bytes(3, "little")
    if (at := data.find(b"VP8 ", 12)) > 0:
        wrong[at + 14 : at + 18] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
    if (at := data.find(b"VP8L", 12)) > 0:
        bits = (width - 1 & 0x3FFF) | (height - 1 & 0x3FFF) << 14 | random.randrange(2) << 28
        wrong[at + 9 : at + 13] = struct.pack("<I", bits)
    return bytes(wrong)


def _insert(data: bytes, _: list[bytes], random: Random) -> bytes:
    turned = random.choice([b"II*\0", b"MM\0*"]) + EXIF % random.randrange(256)
    load = random.choice([b"", turned, b"Exif\0\0" + turned, random.randbytes(random.choice([1, 2, 6, 26, 256]))])
    kind = sniff(data)
    if kind == "png":
        starts = [33] + [at - 4 for at in (data.find(b"IDAT"), data.find(b"IEND")) if at > 33]
        at, more = random.choice(starts), chunk(random.choice(CHUNKS), load)
    elif kind == "jpeg":
        starts = [2] + [at for at in (data.find(b"\xff\xda"), data.find(b"\xff\xdb"), len(data) - 2) if at > 2]
        at, more = random.choice(starts), segment(random.choice(SEGMENTS), load)
    else:
        at, more = random.choice([12, 30, len(data)]), part(random.choice(PARTS), load)
        data = data[:4] + struct.pack("<I", len(data) + len(more) - 8) + data[8:]
    return data[:at] + more * random.choice([1, 1, 1, 40]) + data[at:]
