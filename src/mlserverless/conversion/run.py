"""The steps of a conversion, in their order, and what goes from one to the next."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from mlserverless.conversion import folder, made, onnx_quantise, picture, pixels, quantise
from mlserverless.conversion.beside import beside
from mlserverless.conversion.frameworks import Asked, Original, open_source
from mlserverless.conversion.pictures import Pictures, chosen
from mlserverless.conversion.plan import FORMS, Plan, plan
from mlserverless.conversion.problem import ConversionError
from mlserverless.conversion.quiet import noise
from mlserverless.conversion.report import Report

BY_UNIT = "tflite-runtime"  # the engine without dense layers that have a scale for each unit

Tell = Callable[[str], None]


def convert(
    source: Any,
    out: str | os.PathLike[str],
    *,
    quantize: str = "none",
    to: str = "",
    calibrate: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | Sequence[str] | None = None,
    name: str = "",
    activation: str = "",
    input: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] = (),
    signature: str = "",
    engines: Sequence[str] = (),
    force: bool = False,
    tell: Tell = lambda _: None,
) -> Report:
    """Convert ``source``, write the model folder ``out``, compare both, and return what it came to.

    ``source`` is a path, ``module:name`` or the model itself; ``quantize`` none, float16, dynamic or int8; ``to``
    tflite or onnx; ``calibrate`` and ``images`` folders with pictures; ``labels`` a file or the labels; ``input``
    the section [input] of model.toml; ``engines`` those that it has to run with, else all that are installed.
    ``tell`` is called with each step. Raises Misused, Missing and ConversionError; then nothing was written.
    """
    asked = {"quantize": quantize, "to": to, "calibrate": calibrate, "images": images, "labels": labels}
    todo = plan(source, out, force, input or {}, name=name, activation=activation, engines=engines, **asked)
    with tempfile.TemporaryDirectory(prefix="mlserverless-convert-") as place, folder.begun(todo.out) as written:
        scratch = Path(place)
        with noise(scratch / "log"):
            return _Work(todo, scratch, written, tell).run(Asked(tuple(input_shape), todo.wanted.size, signature))


class _Work:
    def __init__(self, todo: Plan, scratch: Path, written: Path, tell: Tell) -> None:
        self._plan, self._scratch, self._written, self._tell = todo, scratch, written, tell
        self._steps: list[tuple[str, float]] = []
        self._notes: list[str] = []

    @contextmanager
    def _step(self, word: str) -> Iterator[None]:
        self._tell(word)
        begin = time.perf_counter()
        yield
        self._steps.append((word, round(time.perf_counter() - begin, 2)))

    def run(self, asked: Asked) -> Report:
        todo = self._plan
        with self._step(f"reading {todo.source.told}"):
            original = open_source(todo.source, asked)
        with self._step("preparing pictures"):
            pictures = chosen(todo, self._scratch)
            samples = pixels.arrays(pictures.calibrating, todo.wanted, original.input)
        with self._step(f"converting it to {todo.form}"):
            _ran(original, samples[0])
            data = original.onnx(self._scratch) if todo.form == "onnx" else original.tflite(self._scratch, samples)
        with self._step(f"quantising it: {todo.quantize}"):
            data, converted = self._quantised(data, original, samples, pictures)
        with self._step("writing the model folder"):
            digest = self._write(data, converted, original)
        with self._step("running original and converted"):
            ran, compared, notes = beside(todo, self._written, original, converted, pictures.comparing, self._tell)
            self._notes += notes
        found = Report(
            todo.source.told,
            original.framework,
            str(todo.out),
            f"model{FORMS[todo.form]}",
            digest,
            todo.quantize,
            todo.source.bytes or original.weight,
            (self._written / f"model{FORMS[todo.form]}").stat().st_size,
            median(ran.milliseconds),
            len(pictures.comparing),
            len(pictures.calibrating) if todo.quantize == "int8" else 0,
            compared,
            tuple(self._steps),
            tuple(self._notes),
        )
        (self._written / folder.PICTURE).write_text(picture.draw(found), encoding="utf-8")
        return found

    def _quantised(
        self, data: bytes, original: Original, samples: list[Any], pictures: Pictures
    ) -> tuple[bytes, made.Made]:
        todo = self._plan
        size = todo.wanted.size
        if todo.quantize != "none":
            # The converter may have moved the channels: the samples are made for the input as it is now.
            between = made.look(data, todo.form, size)
            given, _ = made.fitted(todo.given, todo.wanted, between.input)
            if between.input.shape != original.input.shape:
                turned = todo.wanted._replace(layout=given.get("layout", ""))
                samples = pixels.arrays(pictures.calibrating, turned, between.input)
        if todo.quantize == "int8":
            self._notes += pictures.notes()
        if todo.form == "onnx":
            data = onnx_quantise.quantised(data, todo.quantize, samples, self._scratch)
            if todo.quantize in ("dynamic", "int8") and not onnx_quantise.any_fewer(data):
                self._notes.append("None of its operators can be quantised: it has as many bits as before.")
        else:
            here = not todo.engines and find_spec("tflite_runtime") is not None
            by_unit = BY_UNIT not in todo.engines and not here
            span = pixels.span(todo.wanted.range, samples)
            data = quantise.quantised(data, todo.quantize, samples, dense_by_unit=by_unit, span=span)
        return data, made.look(data, todo.form, size)

    def _write(self, data: bytes, converted: made.Made, original: Original) -> str:
        todo = self._plan
        given, target = made.fitted(todo.given, todo.wanted, converted.input)
        labels = todo.labels or original.labels
        said, note = made.activation(converted, todo.activation, original.framework.startswith("scikit-learn"))
        if note:
            self._notes.append(note)
        return folder.write(
            self._written,
            data,
            suffix=FORMS[todo.form],
            name=todo.name,
            description=f"Converted from {original.framework}, quantised: {todo.quantize}",
            labels=labels,
            given=given,
            wanted=todo.wanted,
            channels=target.channels,
            output={"activation": said},
        )


def _ran(original: Original, sample: Any) -> None:
    try:
        original.run(sample)
    except Exception as error:  # whatever the model's own code raises
        raise ConversionError(
            f"The original itself does not run on an input of shape {original.input.shape}: "
            f"{type(error).__name__}: {error}"
        ) from error
