"""Known mistakes between a notebook and a model.toml, seeded one at a time: does certify find each, and no other?

The notebook is numpy and Pillow (tests/helpers/notebook.py) around the model in LiteRT's own interpreter; the
models are the bundled ones and small ones of every kind (tests/helpers/classifiers.py). A mistake counts as found
where the model is not certified and the first step that is named is the one it was seeded in; as diagnosed where
the cause is its cause, too, and the line that mends it is the line that it was seeded with.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from helpers import classifiers, images
from helpers.classifiers import Kind
from helpers.figures import Figure, Scale
from helpers.notebook import Kernel, Notebook, reference
from mlserverless.certification import save_reference
from mlserverless.certification.certify import Report, certify
from mlserverless.certification.reference import read_reference

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
SETS = (
    ("china.jpg", "chelsea.png", "coffee.png"),
    ("flower.jpg", "rocket.jpg", "camera.png"),
    ("coffee.png", "flower.jpg", "china.jpg", "rocket.jpg"),
)
SHORT = ("dogs-vs-cats", "float", "nchw", "more", "int8")  # the models of the shortened form
RANGES = ("raw", "unit", "signed", "imagenet", "caffe")
ALL = ("decoded", "resized", "input", "output", "scores", "labels")
KEYS = (ALL, ("input", "output", "scores", "labels"), ("resized", "input"), ("input",))
SOFT = {"activation": "softmax"}


class Seed(NamedTuple):
    """A mistake: what it changes in the notebook or in model.toml, and what certify has to say of it."""

    name: str
    step: str
    cause: str
    mend: str = ""
    notebook: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple default is never written to
    toml: dict[str, Any] = {}  # noqa: RUF012
    keys: tuple[str, ...] = ("input", "output")
    pictures: str = "photos"


class Model(NamedTuple):
    """A model, how its notebook rightly feeds it, and what its model.toml rightly says."""

    kind: Kind
    notebook: Notebook
    bytes: bytes


def models() -> list[Model]:
    """Return the models: the bundled ones, and one of each kind."""
    found = []
    for name, kind in BUNDLED.items():
        data = (classifiers.BUNDLED / name / "model.tflite").read_bytes()
        found.append(Model(kind, _notebook(kind), data))
    return found + [Model(kind, _notebook(kind), classifiers.model(kind)) for kind in classifiers.KINDS]


def _labels(name: str) -> tuple[str, ...]:
    return tuple((classifiers.BUNDLED / name / "labels.txt").read_text(encoding="utf-8").splitlines())


CROP = {"resize": "bicubic", "fit": "crop", "crop": 0.875, "range": "raw"}
BUNDLED = {
    "efficientnet-lite0": Kind(
        "efficientnet-lite0",
        size=(224, 224),
        dtype="uint8",
        scale=0.0078125,
        zero_point=127,
        classes=1000,
        softmax=True,
        input=CROP,
        labels=_labels("efficientnet-lite0"),
    ),
    "dogs-vs-cats": Kind(
        "dogs-vs-cats",
        size=(150, 150),
        classes=1,
        softmax=True,
        input={"resize": "nearest", "range": "unit"},
        labels=_labels("dogs-vs-cats"),
    ),
}


def _notebook(kind: Kind) -> Notebook:
    said = kind.input
    raw = kind.dtype != "float32" and said.get("range", "raw") == "raw"
    return Notebook(
        kind.size,
        range=said.get("range", "raw"),
        order="gray" if kind.channels == 1 else "rgb",
        layout=kind.layout,
        resize=said.get("resize", "bilinear"),
        fit="side" if "side" in said else said.get("fit", "stretch"),
        crop=said.get("crop", 1.0),
        side=said.get("side", 0),
        dtype=kind.dtype,
        scale=kind.scale,
        zero_point=kind.zero_point,
        quantise="raw" if raw else "right",
        activation=kind.output.get("activation", "none"),
    )


def seeds(kind: Kind) -> Iterator[Seed]:
    """Yield the mistakes that can be made with a model of this ``kind``."""
    yield from _channels(kind)
    yield from _ranges(kind)
    yield from _geometry(kind)
    yield from _layouts(kind)
    yield from _quantised(kind)
    yield from _activations(kind)
    yield from _labelled(kind)
    yield Seed("Exif ignored", "decode", "exif", "exif_transpose", {"exif": False}, pictures="turned")
    yield Seed("alpha on black", "decode", "alpha", "BACKGROUND=black", {"ground": "black"}, pictures="clear")
    yield Seed("alpha ignored", "decode", "alpha", "BACKGROUND=drop", {"ground": "drop"}, pictures="clear")


def _channels(kind: Kind) -> Iterator[Seed]:
    if kind.channels == 3:
        yield Seed("BGR in the notebook", "channels", "order", 'channels = "bgr"', {"order": "bgr"})
        yield Seed(
            "BGR in model.toml", "channels", "order", 'channels = "rgb"', toml={"input": {"channels": "bgr"}}
        )


def _ranges(kind: Kind) -> Iterator[Seed]:
    right = kind.input.get("range", "raw")
    if kind.dtype != "float32":
        return
    known = [name for name in RANGES if kind.channels == 3 or name not in ("imagenet", "caffe")]
    own = ((123.5,), (58.5,)) if kind.channels == 1 else ((120.0, 115.0, 100.0), (60.0, 58.0, 57.0))
    for name in (*known, own):
        if name == right:
            continue
        bgr = {"order": "bgr"} if name == "caffe" else {}
        mend = f'range = "{name}"' if isinstance(name, str) else "range = { mean = "
        yield Seed(f"range {_told(name)} for {right}", "range", "range", mend, {"range": name, **bgr})
        yield Seed(
            f"model.toml says {_told(name)}",
            "range",
            "range",
            f'range = "{right}"',
            toml={"input": {"range": name}},
        )


def _told(name: Any) -> str:
    return name if isinstance(name, str) else "mean and std"


def _geometry(kind: Kind) -> Iterator[Seed]:
    said = kind.input
    fit, method = said.get("fit", "stretch"), said.get("resize", "bilinear")
    if fit == "stretch":
        crop = {"fit": "crop", "crop": 0.875}
        yield Seed("crop for stretch", "resize", "fit", 'fit = "crop"\ncrop = 0.875', crop)
        yield Seed("model.toml crops", "resize", "fit", 'fit = "stretch"', toml={"input": {"fit": "crop"}})
        yield Seed("pad for stretch", "resize", "fit", 'fit = "pad"', {"fit": "pad"})
    else:
        plain = {"fit": "stretch", "crop": 1.0, "side": 0}
        yield Seed("stretch for crop", "resize", "fit", 'fit = "stretch"', plain)
        wrong = {"fit": "stretch", "crop": "", "side": ""}
        mend = f"side = {said['side']}" if "side" in said else f'fit = "crop"\ncrop = {said["crop"]}'
        yield Seed("model.toml stretches", "resize", "fit", mend, toml={"input": wrong})
    for other in ("nearest", "bilinear", "bicubic", "lanczos", "box"):
        if other != method:
            yield Seed(f"{other} for {method}", "resize", "method", f'resize = "{other}"', {"resize": other})
    if method == "bilinear" and fit == "stretch":
        mend = "antialias = false" if "resizer" in said else 'resizer = "t'
        yield Seed("no antialiasing", "resize", "antialias", mend, {"resize": "opencv"})


def _layouts(kind: Kind) -> Iterator[Seed]:
    if kind.channels == 3:
        yield Seed("reshape for transpose", "layout", "reshaped", "transpose", {"arrange": "reshaped"})
    if kind.size[0] == kind.size[1] and kind.layout != "flat":
        yield Seed("height for width", "layout", "transposed", "transpose", {"arrange": "transposed"})


def _quantised(kind: Kind) -> Iterator[Seed]:
    if kind.dtype == "float32":
        return
    right = kind.input.get("range", "raw")
    if right == "raw":
        unit = {"range": "unit", "quantise": "right"}
        yield Seed("unit for raw", "quantise", "range", 'range = "unit"', unit)
        wrong = {"input": {"range": "unit"}}
        yield Seed("model.toml quantises", "quantise", "range", 'range = "raw"', toml=wrong)
    else:
        yield Seed("not quantised", "quantise", "range", 'range = "raw"', {"quantise": "raw"})
        wrong = {"input": {"range": ""}}
        yield Seed("model.toml has no range", "quantise", "range", f'range = "{right}"', toml=wrong)
        for other in ("unit", "signed"):
            yield Seed(f"quantised from {other}", "range", "range", f'range = "{other}"', {"range": other})
    scaled = {"range": "signed" if right == "raw" else right}
    yield Seed("cast, not quantised", "quantise", "cast", "zero_point", {"quantise": "cast", **scaled})
    if kind.zero_point > 8 or kind.zero_point < -3:
        without = {"quantise": "no-zero-point", **scaled}
        yield Seed("no zero point", "quantise", "no-zero-point", "zero_point", without)
    if kind.dtype == "int8":
        yield Seed("cast to int8", "quantise", "wrapped", "zero_point", {"quantise": "wrapped"})
    stored = ("input", "scores")
    yield Seed("output not dequantised", "dequantise", "stored", "scale", {"stored": True}, keys=stored)


def _activations(kind: Kind) -> Iterator[Seed]:
    both = ("input", "output", "scores")
    if kind.classes == 1:
        wrong = {"output": {"activation": "sigmoid"}}
        yield Seed("sigmoid twice", "activation", "twice", 'activation = "none"', toml=wrong)
        return
    if kind.softmax:
        twice = Seed("softmax twice", "activation", "twice", 'activation = "none"', toml={"output": SOFT})
        yield twice
        yield twice._replace(name="softmax twice, by the scores", keys=both)
        yield Seed(
            "softmax twice in the notebook", "activation", "twice", "without", dict(SOFT), keys=("input", "scores")
        )
        return
    wrong = {"output": {"activation": "none"}}
    yield Seed("softmax missing", "activation", "activation", 'activation = "softmax"', toml=wrong, keys=both)
    wrong = {"output": {"activation": "sigmoid"}}
    yield Seed("sigmoid for softmax", "activation", "activation", 'activation = "softmax"', toml=wrong, keys=both)


def _labelled(kind: Kind) -> Iterator[Seed]:
    if kind.classes == 1:
        return
    labels, keys = list(kind.labels), ("input", "output", "labels")
    shifted = {"labels": ["background", *labels[:-1]]}
    yield Seed("labels one on", "labels", "offset", f"{labels[0]}, {labels[1]}", toml=shifted, keys=keys)
    back = {"labels": [*labels[1:], "spare"]}
    yield Seed("labels one back", "labels", "offset", f"{labels[0]}, {labels[1]}", toml=back, keys=keys)
    swapped = {"labels": sorted(labels, reverse=True)}
    yield Seed("labels in another order", "labels", "order", f"{labels[0]}, {labels[1]}", toml=swapped, keys=keys)
    if kind.output.get("offset"):
        wrong = {"labels": [*labels, "spare"], "output": {"offset": 0}}
        yield Seed("no offset", "labels", "offset", "offset = 1", toml=wrong, keys=keys)


def pictures(name: str, photos: tuple[str, ...]) -> list[bytes]:
    """Return ``photos`` as files; "turned": with an Exif orientation; "clear": with transparency."""
    found = [(PHOTOS / photo).read_bytes() for photo in photos]
    if name == "photos":
        return found
    made = []
    for data in found:
        image = Image.open(BytesIO(data)).convert("RGB")
        if name == "turned":
            exif = Image.Exif()
            exif[0x0112] = 6
            made.append(images.encode(image, "JPEG", quality=95, exif=exif))
        else:
            fade = np.linspace(0, 255, image.width).astype(np.uint8)
            image.putalpha(Image.fromarray(np.tile(fade, (image.height, 1))))
            made.append(images.encode(image, "PNG"))
    return made


class Bench:
    """A model in a folder of its own, compared with what notebooks save."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.model, self.folder, self.kernel = model, folder, Kernel(model.bytes)

    def report(
        self,
        notebook: Notebook,
        toml: dict[str, Any],
        keys: tuple[str, ...],
        pictured: str,
        photos: tuple[str, ...],
    ) -> Report:
        """Return what certify says of this ``notebook`` and this ``toml``."""
        saved = reference(notebook, self.kernel, pictures(pictured, photos))
        saved["labels"] = list(self.model.kind.labels)
        path = self.folder / "notebook.npz"
        save_reference(path, images=saved["images"], **{key: saved[key] for key in keys})
        where = classifiers.write(self.model.kind, self.folder / "model", data=self.model.bytes, **toml)
        return certify(str(where), read_reference(path), {})


def judged(seed: Seed, report: Report) -> str:
    """Return what is wrong with a ``report`` about a model in which ``seed`` was seeded, "" for nothing."""
    if report.certified or not report.findings:
        return "not found"
    finding = report.findings[0]
    if report.step != seed.step:
        return f"the step {report.step} ({finding.cause})"
    if finding.cause != seed.cause:
        return f"the cause {finding.cause}"
    return "" if seed.mend in finding.mend else f"the mend {finding.mend!r}"


def measure(scale: Scale) -> list[Figure]:
    """Seed every mistake in every model, and compare each right model as well."""
    found: Counter[str] = Counter()
    wrong: list[str] = []
    alarms: list[str] = []
    right = seeded = diagnosed = 0
    sets = SETS[: scale.of(len(SETS), 1)]
    chosen = [model for model in models() if not scale.short or model.kind.name in SHORT]
    with tempfile.TemporaryDirectory(prefix="mistakes-") as made:
        for model in chosen:
            bench = Bench(model, Path(made))
            for photos in sets:
                for pictured in ("photos", "turned", "clear"):
                    for keys in KEYS[: scale.of(len(KEYS), 1)] if pictured == "photos" else KEYS[-1:]:
                        right += 1
                        told = bench.report(model.notebook, {}, keys, pictured, photos)
                        if not told.certified:
                            alarms.append(f"{model.kind.name} {keys} {pictured}: {told.findings or told.stages}")
                for seed in seeds(model.kind):
                    seeded += 1
                    changed = model.notebook._replace(**seed.notebook)
                    told = bench.report(changed, seed.toml, seed.keys, seed.pictures, photos)
                    if told.step == seed.step and not told.certified:
                        found[seed.name] += 1
                    if problem := judged(seed, told):
                        wrong.append(f"{model.kind.name}, {seed.name}, {photos[0]}: {problem}")
                    else:
                        diagnosed += 1
    caught = sum(found.values())
    told = f"{caught:,} of {seeded:,} in {len(chosen)} models"
    return [
        Figure("mistakes found, the step named", "100 %", told, caught == seeded, {"wrong": wrong}),
        Figure("mistakes diagnosed, the line that mends it", "100 %", f"{diagnosed:,} of {seeded:,}", not wrong),
        Figure(
            "right models certified",
            "100 %",
            f"{right - len(alarms):,} of {right:,}",
            not alarms,
            {"alarms": alarms},
        ),
    ]
