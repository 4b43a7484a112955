"""What says that it is an image and is a bomb, cut off, altered, or something else."""

import io
import random
import struct
import zlib
from typing import NamedTuple

from PIL import Image

from helpers.images import encode, gradient, png_header

UNREAD = ("unsupported-media-type", "undecodable-image")


class Sent(NamedTuple):
    """One request, and the codes of which every runtime gives the same; "ok" for a prediction.

    ``texts``: whether the answers are compared to the byte. Python's own words differ from version to version.
    """

    name: str
    kind: str
    body: bytes
    codes: tuple[str, ...]
    method: str = "POST"
    path: str = "/predict"
    texts: bool = True


def image(name: str, body: bytes, *codes: str, kind: str = "image/png") -> Sent:
    return Sent(name, kind, body, codes)


def jpeg_header(width: int, height: int) -> bytes:
    """Return a JPEG whose frame header announces another size than its pixels have."""
    small = encode(gradient(16, 16), "JPEG")
    at = small.index(b"\xff\xc0") + 5
    return small[:at] + struct.pack(">HH", height, width) + small[at + 4 :]


def webp_header(width: int, height: int) -> bytes:
    """Return an extended WebP that announces a canvas and holds no pixels of it."""
    canvas = b"\0\0\0\0" + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunk = b"VP8X" + struct.pack("<I", 10) + canvas
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def png_with_text(size: int) -> bytes:
    """Return a PNG with a compressed text that is ``size`` bytes when unpacked."""
    data = b"Comment\0\0" + zlib.compress(bytes(size), 9)
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    whole = encode(gradient(8, 8))
    return whole[:33] + chunk + whole[33:]


def mutated(data: bytes, seed: int) -> bytes:
    """Return ``data`` with three bytes of its first 64 changed."""
    chance, changed = random.Random(seed), bytearray(data)
    for _ in range(3):
        changed[chance.randrange(64)] = chance.randrange(256)
    return bytes(changed)


def images() -> list[Sent]:
    """Return what says it is an image."""
    png, jpeg = encode(gradient(64, 48)), encode(gradient(64, 48), "JPEG")
    webp = encode(gradient(64, 48), "WEBP")
    gif = io.BytesIO()
    Image.new("P", (8, 8)).save(gif, "GIF")
    found = [
        image("bomb: png 60000 × 60000", png_header(60_000, 60_000), "image-too-large"),
        image("bomb: png 2³¹−1 wide", png_header(2**31 - 1, 1), "image-too-large", "undecodable-image"),
        image("bomb: png 0 wide", png_header(0, 10), "undecodable-image"),
        image("bomb: jpeg 65500 × 65500", jpeg_header(65_500, 65_500), "image-too-large"),
        image("bomb: webp 16383 × 16383", webp_header(16_383, 16_383), *UNREAD, "image-too-large"),
        image("bomb: a text of 60 MB in a png", png_with_text(60_000_000), "ok", "undecodable-image"),
        image("no image: html", b"<!doctype html><script>", "unsupported-media-type"),
        image("no image: svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported-media-type"),
        image("no image: eps", b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run", "unsupported-media-type"),
        image("no image: zip", b"PK\3\4" + bytes(100), "unsupported-media-type"),
        image("no image: zeros", bytes(50_000), "unsupported-media-type"),
        image("no image: one byte", b"\xff", *UNREAD),
        image("not accepted: gif", gif.getvalue(), "unsupported-media-type"),
        image("over the limit", b"\xff" * 100_001, "image-too-large"),
        image("said to be text", png, "invalid-request", kind="text/plain"),
        image("said to be xml", png, "unsupported-media-type", kind="application/xml"),
        image("a type with a line of its own", png, "unsupported-media-type", kind="x/" + "y" * 4000),
    ]
    for name, data in (("png", png), ("jpeg", jpeg), ("webp", webp)):
        found += [
            image(f"truncated: {name} at {share}/8", data[: len(data) * share // 8], *UNREAD)
            for share in (1, 4, 7)
        ]
        found += [
            image(f"mutated: {name} {seed}", mutated(data, seed), "ok", "image-too-large", *UNREAD)
            for seed in range(6)
        ]
    return found
