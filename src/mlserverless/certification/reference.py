"""What a notebook computed: written by :func:`save_reference` or with numpy alone, read with limits."""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlserverless.certification import npz
from mlserverless.certification.arrays import Array
from mlserverless.certification.npz import DOCS
from mlserverless.errors import InvalidRequest

MAX_IMAGES = 2_000
MAX_IMAGE_BYTES = 100_000_000
LISTS = ("images", "decoded", "resized")  # NAME, or NAME_0, NAME_1, … where they are of several sizes
TENSORS = ("input", "output", "scores")
ANSWERS = ("labels", "top1", "predictions")
KEYS = (*LISTS, *TENSORS, *ANSWERS)
NUMBERED = re.compile(rf"({'|'.join(LISTS)})_(0|[1-9][0-9]{{0,3}})")


class Reference(NamedTuple):
    """What a notebook has saved; () and None where it has not.

    ``images``: encoded bytes, or RGB pixels (H, W, 3) uint8. ``decoded`` and ``resized``: pixels (H, W, C) each,
    0…255. ``input``: (N, …) as fed to the model; ``output``: (N, classes), what the model answered; ``scores``:
    the same after the activation; ``labels`` in the output's order; ``top1``: of each image a label or an index in
    the output. ``sha256`` is that of the file and of the image files that it names.
    """

    path: Path
    sha256: str
    images: tuple[bytes | Array, ...] = ()
    decoded: tuple[Array, ...] = ()
    resized: tuple[Array, ...] = ()
    input: Array | None = None
    output: Array | None = None
    scores: Array | None = None
    labels: tuple[str, ...] = ()
    top1: tuple[str | int, ...] = ()

    @property
    def count(self) -> int:  # type: ignore[override]  # hides tuple.count, which nobody calls on this
        """How many images it is about."""
        sizes = (self.images, self.decoded, self.resized, self.input, self.output, self.scores, self.top1)
        return next((len(x) for x in sizes if x is not None and len(x)), 0)


def save_reference(
    path: str | PathLike[str],
    *,
    images: "Iterable[str | PathLike[str] | bytes | Any]",
    decoded: Sequence[Any] | Array | None = None,
    resized: Sequence[Any] | Array | None = None,
    input: "Any" = None,
    output: "Any" = None,
    scores: "Any" = None,
    labels: Sequence[str] = (),
    top1: Sequence[str | int] = (),
) -> None:
    """Write what a notebook computed to ``path``, an ``.npz`` file, for ``mlserverless certify``.

    ``images`` are paths (the files are packed in), encoded bytes, or RGB pixels: (height, width, 3) uint8. The
    rest is as :class:`Reference` says, whatever of it there is; framework tensors are taken by ``numpy.asarray``.
    Raises InvalidRequest for what could not be read again.
    """
    arrays: dict[str, Array] = {}
    for i, image in enumerate(images):
        if isinstance(image, str | PathLike):
            name = fspath(image)
            try:
                image = Path(name).read_bytes()
            except OSError as error:
                raise InvalidRequest(f"The image {name!r} cannot be read: {error.strerror}.") from error
        arrays[f"images_{i}"] = np.frombuffer(image, np.uint8) if isinstance(image, bytes) else np.asarray(image)
    for name, given in (("decoded", decoded), ("resized", resized)):
        arrays |= {f"{name}_{i}": np.asarray(pixels) for i, pixels in enumerate(() if given is None else given)}
    for name, tensor in (("input", input), ("output", output), ("scores", scores)):
        if tensor is not None:
            arrays[name] = np.asarray(tensor)
    if len(labels):
        arrays["labels"] = np.asarray([str(label) for label in labels])
    if len(top1):
        arrays["top1"] = np.asarray(list(top1))
    target = Path(path)
    _checked(arrays, target, "")
    with target.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_reference(path: str | PathLike[str], limit: int = npz.MAX_BYTES) -> Reference:
    """Return what the ``.npz`` file at ``path`` says; raise InvalidRequest for what is wrong with it."""
    where = Path(path)
    arrays = npz.read(where, lambda name: name in KEYS or NUMBERED.fullmatch(name) is not None, limit)
    try:
        digest = hashlib.sha256(where.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{where} cannot be read: {error.strerror}.") from error
    if (names := arrays.get("images")) is not None and names.dtype.kind == "U":
        del arrays["images"]
        for i, name in enumerate(names.ravel().tolist()):
            data = _file(where, name)
            digest.update(data)
            arrays[f"images_{i}"] = np.frombuffer(data, np.uint8)
    return _checked(arrays, where, digest.hexdigest())


def _file(where: Path, name: str) -> bytes:
    try:
        folder, path = (os.path.realpath(one) for one in (where.parent, where.parent / name))
        if os.path.commonpath((folder, path)) != folder:
            raise InvalidRequest(
                f"{where}: the image {name} is outside of its folder; images are read only beside the .npz file, "
                f"or further down. Save the image's bytes instead. See {DOCS}."
            )
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for its other end
            raise ValueError("it is no regular file")
        with open(path, "rb") as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise InvalidRequest(
            f"{where}: the image {name} cannot be read beside it: {told}. Save the image's bytes instead. "
            f"See {DOCS}."
        ) from error
    if len(data) > MAX_IMAGE_BYTES:
        raise InvalidRequest(f"{where}: the image {name} has more than {MAX_IMAGE_BYTES:,} bytes.")
    return data


def _checked(arrays: dict[str, Array], path: Path, sha256: str) -> Reference:
    lists = {name: _several(arrays, name, path) for name in LISTS}
    for name in ("decoded", "resized"):
        for pixels in lists[name]:
            if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "uif" or min(pixels.shape) < 1:
                _wrong(path, name, pixels, "pixels (height, width, channels), 0…255")
    tensors = {name: arrays.get(name) for name in TENSORS}
    for name, tensor in tensors.items():
        if tensor is not None and (tensor.ndim < 1 or not tensor.size or tensor.dtype.kind not in "uif"):
            _wrong(path, name, tensor, "numbers, the first dimension that of the images")
    for name in ("output", "scores"):
        if (tensor := tensors[name]) is not None:
            tensors[name] = tensor.reshape(len(tensor), -1)
    if "top1" in arrays and "predictions" in arrays:
        raise InvalidRequest(f"{path} has both top1 and predictions, which are two names of one thing.")
    top1, labels = arrays.get("top1", arrays.get("predictions")), arrays.get("labels")
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind != "U"):
        _wrong(path, "labels", labels, "a list of texts")
    if top1 is not None and (top1.ndim != 1 or top1.dtype.kind not in "Uui"):
        _wrong(path, "top1", top1, "a label's text or an index in the output for each image")
    found = Reference(
        path,
        sha256,
        images=tuple(_image(image, path) for image in lists["images"]),
        decoded=lists["decoded"],
        resized=lists["resized"],
        input=tensors["input"],
        output=tensors["output"],
        scores=tensors["scores"],
        labels=() if labels is None else tuple(labels.tolist()),
        top1=() if top1 is None else tuple(top1.tolist()),
    )
    _count(found)
    return found


def _several(arrays: dict[str, Array], name: str, path: Path) -> tuple[Array, ...]:
    numbered = {int(key.rpartition("_")[2]): one for key, one in arrays.items() if key.startswith(f"{name}_")}
    if name in arrays and numbered:
        raise InvalidRequest(f"{path} has both {name} and {name}_{min(numbered)}; one of them is read.")
    if sorted(numbered) != list(range(len(numbered))):
        raise InvalidRequest(f"{path}: {name}_0 to {name}_{max(numbered)} are not all there.")
    if name in arrays:
        if arrays[name].ndim < 3:
            _wrong(
                path, name, arrays[name], f"(N, height, width, channels), or {name}_0, {name}_1, … one an image"
            )
        return tuple(arrays[name])
    return tuple(numbered[i] for i in sorted(numbered))


def _image(image: Array, path: Path) -> bytes | Array:
    if str(image.dtype) != "uint8" or image.ndim not in (1, 3) or (image.ndim == 3 and image.shape[2] != 3):
        _wrong(path, "images", image, "encoded bytes (uint8, one dimension), RGB pixels (height, width, 3) uint8")
    return image.tobytes() if image.ndim == 1 else image


def _count(found: Reference) -> None:
    if not found.images:
        raise InvalidRequest(f"{found.path} has no images: what is compared begins with them. See {DOCS}.")
    if len(found.images) > MAX_IMAGES:
        raise InvalidRequest(f"{found.path} has {len(found.images):,} images; at most {MAX_IMAGES:,} are read.")
    others = {name: getattr(found, name) for name in ("decoded", "resized", *TENSORS, "top1")}
    for name, value in others.items():
        if value is not None and len(value) not in (0, len(found.images)):
            raise InvalidRequest(
                f"{found.path} has {len(found.images):,} images, but {name} is of {len(value):,}: the first "
                f"dimension of everything but labels is that of the images. See {DOCS}."
            )
    if all(value is None or not len(value) for value in others.values()):
        raise InvalidRequest(f"{found.path} has images and nothing to compare them by. See {DOCS}.")


def _wrong(path: Path, name: str, array: Array, accepted: str) -> None:
    raise InvalidRequest(
        f"{path}: {name} has the shape {array.shape} and dtype {array.dtype}; accepted are {accepted}. See {DOCS}."
    )
