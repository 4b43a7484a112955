"""MediaPipe's own metadata reader beside ours: what published models say, and what ours wrote into them.

Its reader is a few files of the mediapipe wheel, which are kept in .cache and run in a process of their own; the
rest of mediapipe, and what that needs, is left out.
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from helpers.figures import Figure, Scale, skip
from mlserverless.engines import select
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import labels
from mlserverless.metadata.read import read
from mlserverless.metadata.records import Metadata, TensorInfo
from mlserverless.metadata.write import write
from modelling import collected

PARTS = ("mediapipe/tasks/metadata/", "mediapipe/tasks/cc/metadata/", "mediapipe/tasks/python/metadata/")
ENGINES = ("litert-python", "tflite-runtime")
SEED, SECONDS = 7, 120
# Prints, for each model that is named, the metadata and the label files in it; null where it has none.
CHILD = """
import json, sys
from mediapipe.tasks.python.metadata.metadata import MetadataDisplayer
told = []
for path in sys.argv[1:]:
    try:
        shown = MetadataDisplayer.with_model_file(path)
    except ValueError as error:
        assert "does not have metadata" in str(error), error
        told.append(None)
        continue
    names = shown.get_packed_associated_file_list()
    texts = {name: shown.get_associated_file_buffer(name).decode() for name in names}
    told.append([json.loads(shown.get_metadata_json()), texts])
print(json.dumps(told))
"""
GIVEN: dict[str, Any] = {
    "name": "Größe",
    "description": "Tells sizes",
    "version": "v2",
    "author": "us",
    "license": "Apache-2.0",
    "mean": [123.5, 116.25, 103.5],
    "std": [58.5, 57.25, 57.5],
    "minimum": [-2.0],
    "maximum": [2.5],
    "labels": ["small", "large"],
    "labels_by_locale": {"de": ["klein", "groß"]},
    "score_threshold": 0.25,
}


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of the metadata that was there, and of the metadata that was written."""
    names = ("metadata as MediaPipe's reader reads it", "metadata written")
    bars = (
        "every model: all fields that are read",
        "every model: read back by both, answers bit-equal",
    )
    pairs = zip(names, bars, strict=True)
    if sys.version_info[:2] != (3, 11):  # collected.toml has the wheel of that Python
        return [skip(name, bar, "MediaPipe's reader is compiled for Python 3.11") for name, bar in pairs]
    try:
        folder, models = _reader(), collected.models()
    except collected.Missing as error:
        return [skip(name, bar, str(error)) for name, bar in pairs]
    models = tuple(model for model in models if model.path.read_bytes()[4:8] == b"TFL3")
    return [_there(names[0], bars[0], folder, models), _written(names[1], bars[1], folder, models)]


def _there(name: str, bar: str, folder: Path, models: tuple[collected.Collected, ...]) -> Figure:
    told = dict(zip(models, _told(folder, [model.path for model in models]), strict=True))
    wrong = {}
    for model, theirs in told.items():
        data = model.path.read_bytes()
        ours = read(data)
        packed = {
            file: "\n".join(labels.packed(data, file)) for file in (ours.files if theirs and theirs[1] else ())
        }
        seen = [_ours(ours), packed] if ours.present else None
        expected = theirs and [_theirs(theirs[0]), {file: text.rstrip("\n") for file, text in theirs[1].items()}]
        if seen != expected:
            wrong[model.name] = {"ours": seen, "theirs": expected}
    having = sum(theirs is not None for theirs in told.values())
    measured = f"{len(told) - len(wrong)} of {len(told)} models the same, {having} of them with metadata"
    return Figure(name, bar, measured, not wrong and having > 0, {"wrong": wrong})


def _written(name: str, bar: str, folder: Path, models: tuple[collected.Collected, ...]) -> Figure:
    wrong: dict[str, str] = {}
    runs = dict.fromkeys(ENGINES, 0)
    with tempfile.TemporaryDirectory() as place:
        paths = []
        for number, model in enumerate(models):
            data = model.path.read_bytes()
            paths.append(Path(place, f"{number}.tflite"))
            paths[-1].write_bytes(made := write(data, **GIVEN))
            for engine in ENGINES:
                try:
                    before = _answers(engine, data)
                except ModelUnavailable:  # the public figure tells which engine cannot run what
                    continue
                runs[engine] += 1
                if before != _answers(engine, made):
                    wrong[model.name] = f"{engine} answers something else"
        for model, path, theirs in zip(models, paths, _told(folder, paths), strict=True):
            ours = read(path.read_bytes())
            if theirs is None or _theirs(theirs[0]) != _ours(ours) or not _as_given(ours, theirs[1]):
                wrong[model.name] = f"{ours} and {theirs}"
    ran = ", ".join(f"{count} on {engine}" for engine, count in runs.items())
    measured = f"{len(models) - len(wrong)} of {len(models)} models; answers compared: {ran}"
    return Figure(name, bar, measured, not wrong and all(runs.values()), {"wrong": wrong})


def _as_given(ours: Metadata, texts: dict[str, str]) -> bool:
    image, scores = ours.inputs[0], ours.outputs[0]
    numbers = (image.mean, image.std, image.minimum, image.maximum)
    given = tuple(tuple(GIVEN[name]) for name in ("mean", "std", "minimum", "maximum"))
    about = tuple(GIVEN[name] for name in ("name", "description", "version", "author", "license"))
    files = {"labels.txt": "small\nlarge\n", "labels_de.txt": "klein\ngroß\n"}
    return (numbers, ours[:5], scores.score_threshold, texts) == (given, about, 0.25, files)


def _answers(engine: str, data: bytes) -> list[bytes]:
    interpreter = select(engine).load(data, 1)
    dice = np.random.default_rng(SEED)
    tensors = [np.zeros(tensor.bytes, np.uint8) for tensor in interpreter.inputs]
    if len(tensors) != 1:
        raise ModelUnavailable(f"{len(tensors)} inputs")
    (tensor,) = interpreter.inputs
    if tensor.dtype == "float32":
        return interpreter.run(dice.random(tensor.bytes // 4, np.float32).tobytes())
    return interpreter.run(dice.integers(0, 256, tensor.bytes, np.uint8).tobytes())


def _ours(found: Metadata) -> dict[str, Any]:
    about = {name: getattr(found, name) for name in ("name", "description", "version", "author", "license")}
    return {
        **about,
        "min_parser_version": found.min_parser_version,
        "inputs": [_tensor(tensor) for tensor in found.inputs],
        "outputs": [_tensor(tensor) for tensor in found.outputs],
    }


def _tensor(tensor: TensorInfo) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "description": tensor.description,
        "dimensions": list(tensor.dimensions),
        "content": tensor.content,
        "color_space": tensor.color_space,
        "mean": list(tensor.mean),
        "std": list(tensor.std),
        "minimum": list(tensor.minimum),
        "maximum": list(tensor.maximum),
        "labels": [[file.name, file.locale, file.of_values] for file in tensor.labels],
        "score_threshold": tensor.score_threshold,
    }


def _theirs(found: dict[str, Any]) -> dict[str, Any]:
    """Return what MediaPipe's reader says in the words of :func:`_ours`."""
    (graph,) = found["subgraph_metadata"]
    about = ("name", "description", "version", "author", "license", "min_parser_version")
    return {
        **{name: found.get(name, "") for name in about},
        "inputs": [_their_tensor(tensor) for tensor in graph.get("input_tensor_metadata", [])],
        "outputs": [_their_tensor(tensor) for tensor in graph.get("output_tensor_metadata", [])],
    }


def _their_tensor(tensor: dict[str, Any]) -> dict[str, Any]:
    units = {unit["options_type"]: unit.get("options", {}) for unit in tensor.get("process_units", [])}
    scale, threshold = units.get("NormalizationOptions", {}), units.get("ScoreThresholdingOptions")
    content = tensor.get("content", {})
    kinds = {"ImageProperties": "image", "FeatureProperties": "feature", "BoundingBoxProperties": "bounding box"}
    color = content.get("content_properties", {}).get("color_space", "")
    files = [(file, file.get("type", "")) for file in tensor.get("associated_files", [])]
    return {
        "name": tensor.get("name", ""),
        "description": tensor.get("description", ""),
        "dimensions": tensor.get("dimension_names", []),
        "content": kinds.get(content.get("content_properties_type", ""), ""),
        "color_space": {"RGB": "rgb", "GRAYSCALE": "gray"}.get(color, ""),
        "mean": scale.get("mean", []),
        "std": scale.get("std", []),
        "minimum": tensor.get("stats", {}).get("min", []),
        "maximum": tensor.get("stats", {}).get("max", []),
        "labels": [
            [file["name"], file.get("locale", ""), kind == "TENSOR_VALUE_LABELS"]
            for file, kind in files
            if kind in ("TENSOR_AXIS_LABELS", "TENSOR_VALUE_LABELS")
        ],
        "score_threshold": None if threshold is None else threshold.get("global_score_threshold", 0.0),
    }


def _told(folder: Path, paths: list[Path]) -> list[list[Any] | None]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, paths)],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"MediaPipe's reader failed: {done.stderr[-500:]}")
    found: list[list[Any] | None] = json.loads(done.stdout)
    return found


def _reader() -> Path:
    """Return the folder with MediaPipe's reader, taken out of its wheel once; raise collected.Missing."""
    (package,) = (package for package in collected.packages() if package.name == "mediapipe")
    folder = collected.CACHE / f"reader-{package.sha256[:16]}"
    if not folder.is_dir():
        collected.CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=collected.CACHE) as place:
            with zipfile.ZipFile(collected._archive(package, Path(place))) as wheel:
                names = [name for name in wheel.namelist() if name.startswith(PARTS) or "LICENSE" in name]
                wheel.extractall(Path(place, "reader"), names)
            Path(place, "reader").rename(folder)
    return folder
