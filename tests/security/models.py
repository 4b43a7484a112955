"""Corrupt model files, each in a child process of its own: told with a pin, survived without one.

Every variant is tried twice. In a folder that pins the good file's sha256 it must be refused for what it is,
before any engine sees it. Without a pin, an engine that checks the file (LiteRT) must refuse it, or load it and
answer; one that does not (tflite-runtime) must not be given it at all.
"""

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from helpers.figures import Figure, Scale, skip
from mlserverless.config import PREFIX, Settings
from mlserverless.engines import EngineMissing, litert, onnx, tflite
from mlserverless.errors import MlserverlessError, ModelUnavailable
from mlserverless.loading import load
from mlserverless.predictor import Predictor
from security import children, corrupt, corrupt_onnx
from security.children import Outcome
from security.corrupt import Variant

RUNTIMES = ("litert", "litert-python", "tflite-runtime", "onnxruntime")
UNCHECKED = ("tflite-runtime",)  # it does not verify what it reads, so it is given pinned files only
BAR = "≥ 880, each in a child process: 0 crashes; 100 % detected with the pin"
PARALLEL, SECONDS = 2, 20  # children at a time; a child that takes longer hangs
FAULTS = ("crash", "hang", "undetected", "unmapped", "accepted", "no answer")
MOST_TOLD = 40
NOT_A_MODEL = ("is not a TFLite model", "is not an ONNX model, or a damaged one")
INPUT = '[input]\nrange = "raw"\n'
NAMED = '[output]\nscores = "scores"\n'  # of two outputs


def measure(scale: Scale) -> list[Figure]:
    """Return a figure for each runtime."""
    return [_measure(runtime, scale) for runtime in RUNTIMES]


def _measure(runtime: str, scale: Scale) -> Figure:
    name = f"corrupt model files, {runtime}"
    importing: dict[str, Callable[[], object]] = {"litert": litert._library_path, "onnxruntime": onnx.engine}
    importing |= {package: partial(tflite.interpreter_module, package) for package in tflite.PACKAGES}
    try:
        # Imported here, once, and nothing made: what a runtime starts would not survive the fork.
        importing[runtime]()
    except EngineMissing as error:
        return skip(name, BAR, f"{error}")
    subject = corrupt_onnx if runtime == "onnxruntime" else corrupt
    variants = subject.variants(scale.of(1100, 80))
    good = {model: subject.original(model).data for model in subject.NAMES}
    hashes = {model: sha256(data).hexdigest() for model, data in good.items()}
    # The good files first: what refuses everything detects everything, too.
    tries: list[tuple[str, str, Callable[[Path], Outcome]]] = [
        ("good", model, partial(_good, runtime, data, hashes[model])) for model, data in good.items()
    ]
    for variant in variants:
        what = f"{variant.model}, {variant.kind}"
        tries.append(("pinned", what, partial(_pinned, runtime, variant, hashes[variant.model])))
        tries.append(("without", what, partial(_without, runtime, variant)))
    counts = {way: Counter[str]() for way in ("good", "pinned", "without")}
    told: list[dict[str, Any]] = []
    works = [work for _, _, work in tries]
    for number, outcome in children.run(works, parallel=PARALLEL, seconds=SECONDS):
        way, what, _ = tries[number]
        counts[way][outcome.word] += 1
        if outcome.word.startswith(FAULTS):
            told.append({"try": number, "way": way, "of": what, **outcome._asdict()})
    return _figure(name, len(variants), counts, told)


def _figure(name: str, count: int, counts: dict[str, Counter[str]], told: list[dict[str, Any]]) -> Figure:
    total = sum(counts.values(), Counter[str]())
    detected = counts["pinned"]["detected"]
    share = detected / count
    bare = ", ".join(f"{number} {word}" for word, number in counts["without"].most_common())
    measured = (
        f"{count}: {total['crash']} crashes, {total['hang']} hangs, {total['unmapped']} unmapped; "
        f"{detected} detected with the pin ({share:.0%}); without: {bare}"
    )
    # At a run an exception of another class becomes a problem "internal", so it is counted and no fault.
    held = not told and detected == count and counts["good"]["answered"] == counts["good"].total()
    details = {
        "variants": count,
        **{way: dict(found) for way, found in counts.items()},
        "faults": told[:MOST_TOLD],
    }
    return Figure(name, BAR, measured, held, details)


def _folder(place: Path, data: bytes, runtime: str, pin: str = "") -> str:
    file, more = ("model.onnx", NAMED) if runtime == "onnxruntime" else ("model.tflite", "")
    (place / file).write_bytes(data)
    (place / "model.toml").write_text((f'sha256 = "{pin}"\n' if pin else "") + f'file = "{file}"\n{INPUT}{more}')
    for name in [name for name in os.environ if name.startswith(PREFIX)]:  # the child's own environment
        del os.environ[name]
    return str(place)


def _good(runtime: str, data: bytes, pin: str, place: Path) -> Outcome:
    outcome = _answers(_folder(place, data, runtime, pin), runtime)
    return outcome if outcome.word == "answered" else Outcome("no answer", f"{outcome.word}: {outcome.said}")


def _pinned(runtime: str, variant: Variant, pin: str, place: Path) -> Outcome:
    data = variant.make()
    try:
        load(Settings.load({}, model=_folder(place, data, runtime, pin), engine=runtime))
    except ModelUnavailable as error:
        names_both = pin in str(error) and sha256(data).hexdigest() in str(error)
        no_model = any(told in str(error) for told in NOT_A_MODEL) and data[4:8] != b"TFL3"
        return Outcome("detected" if names_both or no_model else "undetected", str(error))
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return Outcome("unmapped", repr(error))
    return Outcome("undetected", "it was loaded")


def _without(runtime: str, variant: Variant, place: Path) -> Outcome:
    folder = _folder(place, variant.make(), runtime)
    if runtime not in UNCHECKED:
        return _answers(folder, runtime)
    module, given = tflite.interpreter_module(runtime), list[str]()
    real = module.Interpreter

    def interpreter(**arguments: Any) -> Any:
        given.append(runtime)
        return real(**arguments)

    module.Interpreter = interpreter
    outcome = _answers(folder, runtime)
    unread = outcome.word == "refused" and not given
    return Outcome("refused unread") if unread else Outcome("accepted", f"{outcome.word}: {outcome.said}")


def _answers(folder: str, runtime: str) -> Outcome:
    predictor = Predictor(folder, engine=runtime)
    try:
        predictor.load()
    except ModelUnavailable as error:
        return Outcome("refused", str(error))
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return Outcome("unmapped", repr(error))
    try:
        predictor.predict(Image.new("RGB", (32, 24), (200, 100, 50)))
    except MlserverlessError as error:
        return Outcome("refused at the run", str(error))
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return Outcome("internal at the run", repr(error))
    return Outcome("answered")
