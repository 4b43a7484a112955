"""The stage decode: a notebook's pixels of whole images against what is served, and why they differ."""

import numpy as np

from mlserverless.certification import difference, mends
from mlserverless.certification.arrays import Array
from mlserverless.certification.findings import ABSENT, DIVERGES, EQUAL, Finding, Found, Stage
from mlserverless.certification.reference import Reference
from mlserverless.certification.search import How, Search
from mlserverless.certification.served import Served


def compared(served: Served, reference: Reference, tolerance: float = 0.0) -> Found:
    """Compare what the notebook decoded; ``tolerance`` in levels of 255."""
    theirs = [_three(pixels) for pixels in reference.decoded]
    if not theirs:
        return Stage("decode", ABSENT), []
    ours = [served.upright(source) for source in reference.images]
    swapped = [pixels[..., ::-1] for pixels in theirs]
    note = ""
    if _apart(ours, theirs, tolerance) and not _apart(ours, swapped, tolerance):
        theirs, note = swapped, "the notebook has it in BGR order, as OpenCV decodes"
    if not (wrong := _apart(ours, theirs, tolerance)):
        gap = difference.between(ours, theirs, tolerance)
        return Stage("decode", EQUAL, gap, tolerance, "levels", note), []
    fitting = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.shape == b.shape]
    gap = difference.between([a for a, _ in fitting], [b for _, b in fitting], tolerance)
    stage = Stage("decode", DIVERGES, gap, tolerance, "levels", note)
    findings, hows, left = list[Finding](), Search(served, reference.images).hows(), list[int]()
    for i in wrong:
        source = reference.images[i]
        for how in hows:
            tried = served.upright(source, exif=how.exif, background=how.background)
            if how != How() and any(not _apart([tried], [x[i]], tolerance) for x in (theirs, swapped)):
                findings += mends.hows(how)
                break
        else:
            left.append(i)
    return stage, findings + _decoder([ours[i] for i in left], [theirs[i] for i in left])


def _decoder(ours: list[Array], theirs: list[Array]) -> list[Finding]:
    """Return what is said of pixels that nothing else explains: of their shapes, else of their difference."""
    if other := [(a.shape, b.shape) for a, b in zip(ours, theirs, strict=True) if a.shape != b.shape]:
        return [mends.decoded(*other[0])]
    # Of the image that is furthest off: what is told of it has to be enough for all.
    gaps = [np.abs(a.astype(float) - b) for a, b in zip(ours, theirs, strict=True)]
    if not gaps:
        return []
    return [mends.decoder(max(float(gap.max()) for gap in gaps), max(float(gap.mean()) for gap in gaps))]


def _three(pixels: Array) -> Array:
    # Grey as its three equal channels; of RGBA what the first three say.
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


def _apart(ours: list[Array], theirs: list[Array], tolerance: float) -> list[int]:
    return [
        i
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True))
        if a.shape != b.shape or difference.between([a], [b], 0).largest > tolerance
    ]
