"""What one engine answers to a photo, asked in a process of its own, and how far the answers of two are apart.

Usage: python -m modelling.answers ENGINE MODEL INPUT OUTPUT: reads the input tensor's bytes from the file INPUT
and writes the outputs to OUTPUT, an .npz. Ends with 1 and the engine's own words where it cannot.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mlserverless.inspection import kind
from mlserverless.inspection.report import Report

PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "chelsea.png"
SECONDS = 300
# tflite-runtime is two years older, with other kernels: floats differ in their last digits (of the largest value
# of an output), and bytes are rounded otherwise layer by layer. The scores of a model with int8 weights may be as
# far apart as in tests/real/test_photos.py.
FLOAT_SHARE, QUANTISED = 1e-3, 0.05


def ask(engine: str, model: Path, image: Path, place: Path) -> list[Any]:
    """Return the outputs of ``model`` as arrays, as ``engine`` answers; raise RuntimeError where it does not."""
    out = place / f"{engine}.npz"
    words = [sys.executable, "-m", "modelling.answers", engine, str(model), str(image), str(out)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"code {done.returncode}: {done.stderr.strip()[-200:]}")
    with np.load(out) as found:
        return [found[name] for name in found.files]


def compare(first: list[Any], other: list[Any], found: Report, *, exact: bool) -> tuple[str, str]:
    """Return what is wrong with ``other``, "" for nothing, and how far it is from ``first``."""
    if all(a.tobytes() == b.tobytes() for a, b in zip(first, other, strict=True)):
        return "", "bit-identical"
    if exact:
        return "not bit-identical", "NOT bit-identical"
    quantised = any(one.dtype == "int8" for one in found.weights)
    worst = 0.0
    for a, b, port in zip(first, other, found.outputs, strict=True):
        step = port.tensor.scales[0] if port.tensor.scales else 1.0
        one, two = a.astype(float) * step, b.astype(float) * step
        worst = max(worst, float(np.abs(one - two).max() / (1.0 if quantised else max(1e-6, np.abs(one).max()))))
    told = f"{worst:.3f} apart" if quantised else f"{worst:.1e} of the largest value"
    return ("" if worst <= (QUANTISED if quantised else FLOAT_SHARE) else told), told


def pixels(found: Report) -> bytes:
    """Return a photo as the model's input tensor: scaled as its metadata says, else to 0…1; bytes as they are."""
    tensor = found.inputs[0].tensor
    planes = kind.layout(tensor) == "nchw"
    height, width, channels = (*tensor.shape[2:], tensor.shape[1]) if planes else tensor.shape[1:]
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    photo = Image.open(PHOTO).convert(mode).resize((abs(width), abs(height)), Image.Resampling.BILINEAR)
    array = np.asarray(photo).reshape(abs(height), abs(width), channels)
    if tensor.dtype in kind.FLOATS:
        told = found.metadata.inputs[0] if found.metadata.inputs else None
        mean, std = (told.mean, told.std) if told and told.mean and told.std else ((0.0,), (255.0,))
        array = ((array - np.array(mean)) / np.array(std)).astype(tensor.dtype)
    elif tensor.dtype == "int8":
        array = (array.astype(np.int16) - 128).astype(np.int8)
    return (array.transpose(2, 0, 1) if planes else array).tobytes()


def main(engine: str, model: str, image: str, out: str) -> None:
    """Run the model once; write what it answers."""
    from mlserverless import engines

    interpreter = engines.select(engine).load(Path(model).read_bytes(), 1)
    answers = interpreter.run(Path(image).read_bytes())
    pairs = zip(interpreter.outputs, answers, strict=True)
    arrays = [np.frombuffer(answer, tensor.dtype).reshape(tensor.shape) for tensor, answer in pairs]
    np.savez(out, *arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
