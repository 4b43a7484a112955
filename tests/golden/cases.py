"""What is resized for the golden tensors, and how: for the script that makes them and the tests that hold to them.

Only the standard library: it is imported in the environment of each library too.
"""

from hashlib import shake_256
from typing import Any, NamedTuple

# name -> width, height, channels. Noise: where neighbours differ less, as in a photograph, mistakes hide.
SOURCES = {
    "small": (61, 47, 3),
    "tiny": (13, 17, 3),
    "large": (1999, 1000, 3),
    "grey": (61, 47, 1),
    "four": (37, 23, 4),
}
DOWN, UP, ODD, WHOLE, WIDE = (16, 21), (32, 24), (61, 30), (224, 224), (30, 10)  # width, height
STEP = 149  # of what is too large to be kept, each so-many-th value is, and all as a hash
KEPT = 3 * 32 * 24


class Case(NamedTuple):
    """``source`` made ``target`` (width, height) by ``library``; ``options`` are keys of [input] in model.toml."""

    library: str
    source: str
    target: tuple[int, int]
    options: dict[str, Any]

    @property
    def name(self) -> str:
        told = "-".join(
            f"{value}" if isinstance(value, str) else f"{key}{value}" for key, value in self.options.items()
        )
        return f"{self.library}/{told}/{self.source}-{self.target[0]}x{self.target[1]}"


def pixels(source: str) -> bytes:
    """Return the 8-bit pixels of a source, rows of interleaved channels."""
    width, height, channels = SOURCES[source]
    return shake_256(source.encode()).digest(width * height * channels)


SIZES = (("small", DOWN), ("tiny", UP), ("small", ODD), ("large", WHOLE), ("grey", DOWN))
SMOOTH = ("bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
TENSORFLOW = [
    *({"resize": method, "antialias": antialias} for method in SMOOTH for antialias in (False, True)),
    *({"resize": method} for method in ("nearest", "area")),
]
TORCH = [
    *({"resize": method, "antialias": antialias} for method in SMOOTH[:2] for antialias in (False, True)),
    *({"resize": method} for method in ("nearest", "nearest-exact", "lanczos", "area")),
]
PILLOW = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
# Of each fit: sources that are wider, higher and smaller than the target.
SHAPES = (("small", DOWN), ("small", WIDE), ("tiny", DOWN), ("tiny", UP))


def cases() -> list[Case]:
    """Return every case."""
    found = [Case("tensorflow", source, size, options) for options in TENSORFLOW for source, size in SIZES]
    found += [Case("tensorflow", "four", DOWN, {"resize": "bilinear", "antialias": False, "channels": "rgba"})]
    for source, size in SHAPES:
        for options in (
            {"fit": "cut", "resize": "bilinear"},
            {"fit": "stretch", "crop": 0.875, "resize": "bilinear"},
            {"fit": "stretch", "crop": 0.5, "resize": "bicubic", "antialias": True},
            {"fit": "pad", "resize": "bilinear"},
            {"fit": "pad", "resize": "bicubic", "antialias": True},
            {"fit": "centre", "resize": "bilinear"},
        ):
            found.append(Case("tensorflow", source, size, options))
    found += [Case("torch", source, size, options) for options in TORCH for source, size in SIZES]
    found += [
        Case("torchvision", source, size, options)
        for options in TORCH
        if options["resize"] != "area"
        for source, size in SIZES
    ]
    found += [Case("pillow", source, size, {"resize": method}) for method in PILLOW for source, size in SIZES]
    found += [Case("pillow", "four", DOWN, {"resize": "bilinear", "channels": "rgba"})]
    for source, size in SHAPES:
        found.append(Case("pillow", source, size, {"fit": "cut", "resize": "bilinear"}))
        for side in (9, 16, 23, 30):
            found += [
                Case(library, source, size, {"fit": "crop", "side": side, "resize": method})
                for library, method in (
                    ("pillow", "bilinear"),
                    ("pillow", "bicubic"),
                    ("torchvision", "bilinear"),
                    ("torchvision", "bicubic"),
                    ("torch", "bilinear"),
                )
            ]
    found += [
        Case("mediapipe", source, size, {"resize": "bilinear"}) for source, size in SIZES if source != "grey"
    ]
    return found
