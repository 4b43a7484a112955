"""Compute the golden tensors of one library with the library itself. Usage: python make.py LIBRARY

LIBRARY is tensorflow (with Keras), torch (with torchvision) or mediapipe; each in an environment of its own, made
from its lock file: see README.md beside this script, which writes LIBRARY.npz and LIBRARY.json there.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from cases import KEPT, SOURCES, STEP, Case, cases, pixels
from PIL import Image

HERE = Path(__file__).parent
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Every pixel value in every channel: 16 × 16 pixels.
RAMP = np.stack([np.arange(256, dtype=np.uint8) ^ mask for mask in (0, 0x55, 0xFF)], 1).reshape(16, 16, 3)
ANTIALIASED = ("bilinear", "bicubic", "lanczos")
Array = np.ndarray[Any, np.dtype[Any]]


def array(source: str) -> Array:
    width, height, channels = SOURCES[source]
    return np.frombuffer(pixels(source), np.uint8).reshape(height, width, channels)


def image(source: str) -> Image.Image:
    width, height, channels = SOURCES[source]
    return Image.frombytes(MODES[channels], (width, height), pixels(source))


def tensorflow(case: Case) -> Array:
    import keras
    import tensorflow as tf

    given, (width, height), options = array(case.source), case.target, dict(case.options)
    method, antialias = options["resize"], options.get("antialias", False)
    fit = options.get("fit", "stretch")
    if fit == "cut":
        return np.asarray(
            keras.preprocessing.image.smart_resize(given.astype(np.float32), (height, width), method)
        )
    if fit == "pad":
        return tf.image.resize_with_pad(given, height, width, method, antialias).numpy()
    if fit == "centre":
        return tf.image.resize_with_crop_or_pad(given, height, width).numpy()
    if "crop" in options:
        given = tf.image.central_crop(given, options["crop"]).numpy()
    return tf.image.resize(given, (height, width), method, antialias=antialias).numpy()


def pillow(case: Case) -> Array:
    """Return what Keras reads from a file, and, with a side, what torchvision makes of an image of Pillow's."""
    from io import BytesIO

    options = case.options
    if "side" in options:
        from torchvision import transforms

        both = transforms.Compose(
            [
                transforms.Resize(options["side"], transforms.InterpolationMode(options["resize"])),
                transforms.CenterCrop(case.target[::-1]),
            ]
        )
        return np.asarray(both(image(case.source)))
    import keras

    file = BytesIO()
    image(case.source).save(file, "PNG")
    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}[SOURCES[case.source][2]]
    keep = options.get("fit") == "cut"
    file.seek(0)
    read = keras.utils.load_img(file, mode, case.target[::-1], options["resize"], keep)
    return np.asarray(read)


def torch(case: Case) -> Array:
    from torch import from_numpy
    from torch.nn.functional import interpolate
    from torchvision.transforms import v2

    options = case.options
    given = from_numpy(array(case.source).transpose(2, 0, 1).copy()).float()
    if "side" in options:
        both = v2.Compose([v2.Resize(options["side"], antialias=False), v2.CenterCrop(case.target[::-1])])
        return both(given).numpy().transpose(1, 2, 0)
    more = {"antialias": options.get("antialias", True)} if options["resize"] in ANTIALIASED else {}
    return (
        interpolate(given[None], case.target[::-1], mode=options["resize"], **more)[0].numpy().transpose(1, 2, 0)
    )


def torchvision(case: Case) -> Array:
    from torch import from_numpy
    from torchvision.transforms import v2

    options = case.options
    given = from_numpy(array(case.source).transpose(2, 0, 1).copy())
    method = v2.InterpolationMode(options["resize"])
    size = options["side"] if "side" in options else case.target[::-1]
    both = [v2.Resize(size, method, antialias=options.get("antialias", True))]
    if "side" in options:
        both.append(v2.CenterCrop(case.target[::-1]))
    return v2.Compose(both)(given).numpy().transpose(1, 2, 0)


def mediapipe(case: Case) -> Array:
    """Return what MediaPipe puts into a model's input, by a model that answers just that."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    width, height = case.target
    options = vision.ImageEmbedderOptions(base_options=BaseOptions(model_asset_buffer=as_it_is(height, width)))
    with vision.ImageEmbedder.create_from_options(options) as embedder:
        given = mp.Image(image_format=mp.ImageFormat.SRGB, data=array(case.source).copy())
        found = embedder.embed(given).embeddings[0].embedding
    return np.asarray(found, np.float32).reshape(height, width, 3)


def keras_presets() -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the sides and the preprocess_input of every model, and what these make of all pixel values."""
    import importlib

    import keras
    from keras.src.applications import imagenet_utils

    class Told(Exception):
        """The size that a model would be built with."""

    def told(_shape: Any, default_size: int, *_: Any, **__: Any) -> None:
        raise Told(default_size)

    imagenet_utils.obtain_input_shape = told
    found: dict[str, Any] = {}
    made: dict[str, Array] = {}
    ramps = {
        "whole": RAMP.astype(np.float32),
        "between": (RAMP * np.float32(0.997) + np.float32(0.3)).astype(np.float32),
    }
    for name in sorted(dir(keras.applications)):
        function = getattr(keras.applications, name)
        if name[0] == "_" or not callable(function):
            continue
        module = importlib.import_module(function.__module__)
        try:
            function(weights=None)
        except Told as size:
            side = size.args[0]
        outputs = {kind: np.asarray(module.preprocess_input(ramp.copy())) for kind, ramp in ramps.items()}
        key = sha256(b"".join(one.tobytes() for one in outputs.values())).hexdigest()[:12]
        made |= {f"{key}/{kind}": one for kind, one in outputs.items()}
        found[f"keras/{name.lower()}"] = {"side": side, "values": key}
    return found, made


def torchvision_presets() -> tuple[dict[str, Any], dict[str, Array]]:
    """Return side, crop and method of every model's weights, and what their range makes of all pixel values."""
    from torch import from_numpy
    from torchvision import models

    found: dict[str, Any] = {}
    made: dict[str, Array] = {}
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            if weights.name == "IMAGENET1K_FEATURES":  # of vgg16: they have no classifier
                continue
            does = weights.transforms()
            told = {"mean": list(does.mean), "std": list(does.std), "resize": does.interpolation.value}
            # A crop of 16 of an image of 16: the pixels as they are, in the model's range.
            does.resize_size, does.crop_size = [16], [16]
            ramp = does(from_numpy(RAMP.transpose(2, 0, 1).copy())).numpy().transpose(1, 2, 0)
            key = sha256(np.ascontiguousarray(ramp).tobytes()).hexdigest()[:12]
            made[f"{key}/whole"] = ramp
            sizes = weights.transforms()
            kind = weights.name.removeprefix("IMAGENET1K_").lower().replace("_", "-")
            told |= {"side": sizes.resize_size[0], "size": sizes.crop_size[0], "values": key}
            found[f"torchvision/{name}" + ("" if kind == "v1" else f"-{kind}")] = told
    return found, made


def as_it_is(height: int, width: int) -> bytes:
    """Return a .tflite model: uint8 pixels in, the same as floats in a row out."""
    import flatbuffers
    from mediapipe.tasks.metadata import schema_py_generated as schema

    def tensor(name: str, shape: list[int], kind: int, buffer: int = 0) -> Any:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, shape, kind, buffer
        return made

    def operator(code: int, inputs: list[int], outputs: list[int]) -> Any:
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
        return made

    def code(builtin: int) -> Any:
        made = schema.OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode, made.version = builtin, builtin, 1
        return made

    flat = [1, height * width * 3]
    shape = schema.BufferT()
    shape.data = np.asarray(flat, "<i4").tobytes()
    graph = schema.SubGraphT()
    kinds = schema.TensorType
    graph.tensors = [
        tensor("image", [1, height, width, 3], kinds.UINT8),
        tensor("floats", [1, height, width, 3], kinds.FLOAT32),
        tensor("shape", [2], kinds.INT32, 1),
        tensor("flat", flat, kinds.FLOAT32),
    ]
    graph.inputs, graph.outputs = [0], [3]
    graph.operators = [operator(0, [0], [1]), operator(1, [1, 2], [3])]
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT(), shape]
    model.operatorCodes = [code(schema.BuiltinOperator.CAST), code(schema.BuiltinOperator.RESHAPE)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def keep(kept: dict[str, Array], index: dict[str, Any], case: Case, made: Array) -> None:
    """Put a tensor, or a part of one that is too large, with its hash into what is written."""
    width, height = case.target
    assert made.reshape(height, width, -1).shape[2] == SOURCES[case.source][2], (case.name, made.shape)
    exact = np.ascontiguousarray(made.astype(np.float32))
    index[case.name] = sha256(exact.astype("<f4").tobytes()).hexdigest()
    flat = exact.reshape(-1)
    flat = flat if flat.size <= KEPT else flat[::STEP]
    kept[case.name] = flat.astype(np.uint8) if (flat == flat.astype(np.uint8)).all() else flat


def main() -> None:
    library = sys.argv[1]
    kept: dict[str, Array] = {}
    told: dict[str, Any] = {"versions": versions(library), "sha256": {}}
    for case in cases():
        if maker(case) == library:
            keep(kept, told["sha256"], case, globals()[case.library](case))
    presets = {"tensorflow": keras_presets, "torch": torchvision_presets}.get(library)
    if presets:
        told["presets"], more = presets()
        kept |= more
    np.savez_compressed(HERE / f"{library}.npz", **kept)
    (HERE / f"{library}.json").write_text(json.dumps(told, indent=1) + "\n")
    print(f"{library}: {len(kept)} tensors, {(HERE / f'{library}.npz').stat().st_size:,} bytes")


def maker(case: Case) -> str:
    """Return the environment in which a case is made."""
    if case.library == "pillow":
        return "torch" if "side" in case.options else "tensorflow"
    return "torch" if case.library == "torchvision" else case.library


def versions(library: str) -> dict[str, str]:
    from importlib.metadata import version

    packages = {
        "tensorflow": ("tensorflow-cpu", "keras"),
        "torch": ("torch", "torchvision"),
        "mediapipe": ("mediapipe",),
    }[library]
    return {name: version(name) for name in (*packages, "numpy", "pillow")}


if __name__ == "__main__":
    main()
