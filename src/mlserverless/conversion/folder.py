"""The model folder that a conversion writes: whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlserverless.conversion.problem import DOCS, Misused
from mlserverless.metadata.write import write as with_metadata
from mlserverless.model_toml import Input
from mlserverless.ranges import CAFFE, IMAGENET

LABELS = "labels.txt"
PICTURE = "comparison.svg"
READ_ONLY = 0o755
# Ranges that are one mean and one std: (x - mean) / std of a pixel x.
MEANS = {"raw": (0.0, 1.0), "unit": (0.0, 255.0), "signed": (127.5, 127.5)}


def check(out: Path, force: bool) -> None:
    """Raise Misused where ``out`` holds something and it is not to be written over."""
    if out.exists() and not out.is_dir():
        raise Misused(f"{out} is a file: give a folder that is to be made.")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise Misused(f"{out} is not empty: give another folder, or --force to write over the model in it.")


@contextmanager
def begun(out: Path) -> Iterator[Path]:
    """Lend a folder that becomes ``out`` at the block's end; where it fails, ``out`` stays as it was."""
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    made.chmod(READ_ONLY)  # a new folder's usual mode; mkdtemp's is the owner's alone
    try:
        yield made
        out.mkdir(exist_ok=True)
        for path in made.iterdir():
            os.replace(path, out / path.name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write(
    into: Path,
    data: bytes,
    *,
    suffix: str,
    name: str,
    description: str,
    labels: Sequence[str],
    given: Mapping[str, Any],
    wanted: Input,
    channels: str,
    output: Mapping[str, Any],
) -> str:
    """Write model, labels and model.toml into the folder ``into``; return the model file's sha256.

    ``given`` is the section [input] as it is to stand there, ``wanted`` what it comes to, ``channels`` the order
    in which they go in. A .tflite file gets TFLite metadata: name, labels and, where it has words for it,
    normalisation.
    """
    if suffix == ".tflite":
        mean, std = normalisation(wanted, channels)
        colour = {"rgb": "rgb", "gray": "gray"}.get(channels, "")
        data = with_metadata(
            data, name=name, description=description, mean=mean, std=std, labels=labels, color_space=colour
        )
    file, digest = f"model{suffix}", hashlib.sha256(data).hexdigest()
    (into / file).write_bytes(data)
    if labels:
        (into / LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    head = {"name": name, "file": file, "sha256": digest} | ({"labels": LABELS} if labels else {})
    lines = [f"# Written by `mlserverless convert`. See {DOCS}.", *_pairs(head), "", "[input]", *_pairs(given)]
    lines += ["", "[output]", *_pairs(output)]
    (into / "model.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return digest


def normalisation(wanted: Input, channels: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and std in pixel values, as TFLite metadata has them; none where it has no word for them.

    That is so for BGR and RGBA: its colour spaces are RGB and grey.
    """
    scale = wanted.range
    if channels not in ("rgb", "gray"):
        return (), ()
    if isinstance(scale, str):
        if scale == "imagenet":
            mean, std = (tuple(255 * value for value in part) for part in IMAGENET)
            return mean, std
        if scale == "caffe":
            return CAFFE, (1.0,)
        return ((MEANS[scale][0],), (MEANS[scale][1],)) if scale in MEANS else ((), ())
    return scale


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: Any) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's too, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
