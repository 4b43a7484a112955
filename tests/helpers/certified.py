"""A small model in a folder of its own, a notebook with a mistake, and what certify says of the two."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from helpers import classifiers, images
from helpers.notebook import Kernel, Notebook, reference
from mlserverless.certification import save_reference
from mlserverless.certification.certify import Report, certify
from mlserverless.certification.reference import read_reference

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
KINDS = {kind.name: kind for kind in classifiers.KINDS}
NOTEBOOKS = {
    "float": Notebook((32, 32), "imagenet", activation="softmax"),
    "soft": Notebook((32, 32), "unit", resize="bicubic", fit="crop", crop=0.875),
    "nchw": Notebook((32, 32), "imagenet", layout="nchw", fit="side", side=40, activation="softmax"),
    "grey": Notebook((28, 28), "unit", order="gray", activation="softmax"),
    "more": Notebook((32, 32), "signed"),
    "int8": Notebook((32, 32), "imagenet", dtype="int8", scale=1 / 48, zero_point=-4),
    "uint8": Notebook((32, 32), resize="nearest", dtype="uint8", scale=1 / 127.5, zero_point=128, quantise="raw"),
}
Edit = Callable[[dict[str, Any]], None]


def small(name: str, kind: str = "PNG", **options: Any) -> bytes:
    """Return a photo at a size at which a search is quick."""
    image = Image.open(PHOTOS / name).convert("RGB")
    image.thumbnail((120, 120))
    return images.encode(image, kind, **options)


PICTURES = [small("china.jpg"), small("chelsea.png"), small("coffee.png", "JPEG", quality=95)]


def turned(data: bytes) -> bytes:
    """Return a picture that its Exif orientation turns by 90°."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return images.encode(Image.open(BytesIO(data)), "PNG", exif=exif)


def clear(data: bytes) -> bytes:
    """Return a picture that fades away to the right."""
    image = Image.open(BytesIO(data)).convert("RGB")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return images.encode(image, "PNG")


def saved(
    kind: str,
    path: Path,
    keys: tuple[str, ...],
    pictures: list[bytes] = PICTURES,
    edit: Edit = lambda _: None,
    **wrong: Any,
) -> None:
    """Save what the notebook of a ``kind`` of model says, ``wrong`` in one way, its arrays edited."""
    kernel = Kernel(classifiers.model(KINDS[kind]))
    told = reference(NOTEBOOKS[kind]._replace(**wrong), kernel, pictures)
    told["labels"] = list(KINDS[kind].labels)
    edit(told)
    save_reference(path, images=told["images"], **{key: told[key] for key in keys})


def certified(
    folder: Path,
    kind: str,
    keys: tuple[str, ...] = ("input", "output"),
    *,
    notebook: dict[str, Any] | None = None,
    toml: dict[str, Any] | None = None,
    pictures: list[bytes] | None = None,
    edit: Edit = lambda _: None,
    tolerances: dict[str, float] | None = None,
    **settings: Any,
) -> Report:
    """Return what certify says of a model and a notebook in ``folder``, each of which may have a mistake."""
    path = folder / "notebook.npz"
    saved(kind, path, keys, pictures or PICTURES, edit, **(notebook or {}))
    where = classifiers.write(KINDS[kind], folder / "model", **(toml or {}))
    return certify(str(where), read_reference(path), tolerances or {}, **settings)
