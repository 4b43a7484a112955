"""Ask the engines which operators of TFLite they have, and in which versions; write what they answer.

Each is given models of a few hundred bytes that announce one operator code in one version and use none: an engine
looks every code up before it does anything else, and refuses the model where it has no such version. A custom
operator is looked up when the tensors are allocated, so its model has one operator, and a process of its own.

Usage: .venv/bin/python tools/op_versions.py [PYTHON…]: each PYTHON, and the one that runs this, is asked for the
engines that are installed beside it. Writes src/mlserverless/inspection/ops.json. Names and numbers of operators
and types are those of LiteRT's own schema.
"""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from math import prod
from pathlib import Path
from typing import Any

import flatbuffers

OUT = Path(__file__).parents[1] / "src" / "mlserverless" / "inspection" / "ops.json"
MODULES = {
    "litert-python": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}
PACKAGES = {
    "litert": ("ai-edge-litert",),
    "litert-python": ("ai-edge-litert",),
    "tflite-runtime": ("tflite-runtime",),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
}
HIGHEST = 40  # version that is asked for; the highest that any engine had was 14 (LiteRT 2.3, FULLY_CONNECTED)
# Those that TFLite registers (custom_ops_register.h and register.cc), and those of published models. For one that
# XNNPACK may take over, the shapes of its input, constants and output, and its options: it looks at them first.
TRANSPOSED = "Convolution2DTransposeBias"
CUSTOM = (
    *("AudioSpectrogram", TRANSPOSED, "Landmarks2TransformMatrix", "Landmarks2TransformMatrixV2", "Mfcc"),
    *("NumericVerify", "TFLite_Detection_PostProcess", "TransformLandmarks", "TransformTensorBilinear"),
    "edgetpu-custom-op",
)
SHAPES = {TRANSPOSED: ([1, 2, 2, 1], [1, 2, 2, 1], [1], [1, 4, 4, 1])}
SAME, STRIDE = 1, 2  # TfLitePadding; of a TfLiteTransposeConvParams, which begins with padding and both strides
OPTIONS = {TRANSPOSED: struct.pack("<iiiii", SAME, STRIDE, STRIDE, 0, 0)}
CUSTOM_CODE = 32  # BuiltinOperator.CUSTOM
INPUT_BYTES = 16  # of the models made here: four float32


def _vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _integers(builder: flatbuffers.Builder, values: list[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependInt32(value)
    return int(builder.EndVector())


def _table(builder: flatbuffers.Builder, slots: int, **offsets: int) -> int:
    builder.StartObject(slots)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(int(slot[1:]), offset, 0)
    return int(builder.EndObject())


def model(code: int, number: int = 1, custom: str = "") -> bytes:
    """Return a model that announces the operator ``code`` in version ``number``; it uses a ``custom`` one only."""
    b = flatbuffers.Builder(512)
    name = b.CreateString(custom) if custom else 0
    b.StartObject(4)
    b.PrependInt8Slot(0, min(code, 127), 0)  # the old field, a byte: 127 stands for those above
    b.PrependUOffsetTRelativeSlot(1, name, 0)
    b.PrependInt32Slot(2, number, 1)
    b.PrependInt32Slot(3, code, 0)
    codes = _vector(b, [int(b.EndObject())])
    shapes = SHAPES.get(custom, ([1, 4], [1, 4]))
    buffers, tensors = [_table(b, 3)], []
    for place, shape in enumerate(shapes):
        constant = 0 < place < len(shapes) - 1
        if constant:
            buffers.append(_table(b, 3, s0=b.CreateByteVector(bytes(4 * prod(shape)))))
        text, sizes = b.CreateString(f"tensor {place}"), _integers(b, shape)
        b.StartObject(8)
        b.PrependUOffsetTRelativeSlot(0, sizes, 0)
        b.PrependUint32Slot(2, len(buffers) - 1 if constant else 0, 0)
        b.PrependUOffsetTRelativeSlot(3, text, 0)
        tensors.append(int(b.EndObject()))
    *sources, last = range(len(shapes))
    operators = []
    if custom:
        options = b.CreateByteVector(OPTIONS.get(custom, b""))
        operators.append(_table(b, 9, s1=_integers(b, sources), s2=_integers(b, [last]), s5=options))
    listed, steps = _vector(b, tensors), _vector(b, operators)
    inputs, outputs = _integers(b, [0]), _integers(b, [last if custom else 0])
    graphs = _vector(b, [_table(b, 5, s0=listed, s1=inputs, s2=outputs, s3=steps)])
    held = _vector(b, buffers)
    b.StartObject(8)
    b.PrependUint32Slot(0, 3, 0)  # the schema's version
    for slot, offset in ((1, codes), (2, graphs), (4, held)):
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    b.Finish(int(b.EndObject()), file_identifier=b"TFL3")
    return bytes(b.Output())


def loader(engine: str) -> Callable[[bytes], str]:
    """Return a function that gives a model to ``engine`` and returns why it is refused, "" where it is not.

    Raises ImportError where the engine is not installed.
    """
    if engine == "litert":
        from mlserverless.engines import litert
        from mlserverless.errors import ModelUnavailable

        load = litert.engine().load

        def c_api(data: bytes) -> str:
            try:
                # It refuses what it lacks when the model is loaded, but a custom operator only when it is run.
                load(data, 1).run(bytes(INPUT_BYTES))
            except ModelUnavailable as error:
                return str(error)
            return ""

        return c_api
    interpreter: Any = import_module(MODULES[engine]).Interpreter

    def python(data: bytes) -> str:
        try:
            interpreter(model_content=data).allocate_tensors()
        except (ValueError, RuntimeError) as error:
            return str(error)
        return ""

    return python


def names() -> tuple[dict[str, int], dict[str, int]]:
    """Return the numbers of the operators and of the tensor types, from LiteRT's schema."""
    schema = import_module("ai_edge_litert.schema_py_generated")
    tables = (vars(schema.BuiltinOperator), vars(schema.TensorType))
    operators, types = ({name: n for name, n in table.items() if name[0] != "_"} for table in tables)
    return operators, types


def versions(refusal: Callable[[bytes], str], code: int) -> list[int]:
    """Return the lowest and the highest version that the engine has of an operator; empty where it has none."""
    had = [number for number in range(1, HIGHEST + 1) if not refusal(model(code, number))]
    if had and (had != list(range(had[0], had[-1] + 1)) or had[-1] == HIGHEST):
        raise ValueError(f"operator {code}: the versions {had} are no range below {HIGHEST}")
    return [had[0], had[-1]] if had else []


def has_custom(engine: str, name: str) -> bool:
    """Return whether ``engine`` has a custom operator; a process of its own asks, since its start may crash.

    One that has it ends in another way: the operator's own code finds that its tensors are not right.
    """
    words = [sys.executable, __file__, "--custom", engine, name]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return f"unresolved custom op: {name}" not in done.stdout + done.stderr


def probe(engine: str, operators: dict[str, int]) -> dict[str, Any]:
    """Return the engine's version, its operators' versions by name, and the custom operators that it has."""
    refusal = loader(engine)
    installed = next(filter(None, map(_version, PACKAGES[engine])))
    codes = {name: code for name, code in operators.items() if code != CUSTOM_CODE}
    had = {name: found for name, code in codes.items() if (found := versions(refusal, code))}
    return {"version": installed, "had": had, "custom": [name for name in CUSTOM if has_custom(engine, name)]}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def lines(told: dict[str, Any]) -> Iterator[str]:
    """Yield the JSON file, a line an operator."""
    yield "{"
    for part in ("engines", "custom", "types"):
        yield f' "{part}": {json.dumps(told[part])},'
    yield ' "operators": {'
    rows = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in told["operators"].items()]
    yield ",\n".join(rows)
    yield " }"
    yield "}"


def main(pythons: list[str]) -> None:
    """Ask every engine of every Python; write the file."""
    operators, types = names()
    found: dict[str, Any] = {}
    for python in dict.fromkeys([sys.executable, *pythons]):
        for engine in PACKAGES:
            if engine in found:
                continue
            words = [python, __file__, "--probe", engine]
            done = subprocess.run(words, input=json.dumps(operators), capture_output=True, text=True, check=False)
            if done.returncode == 0:
                found[engine] = json.loads(done.stdout.splitlines()[-1])
                print(f"{engine} {found[engine]['version']}: {len(found[engine]['had'])} operators")
            elif "ImportError" not in done.stderr and "ModuleNotFoundError" not in done.stderr:
                sys.exit(f"{engine}, by {python}: code {done.returncode}: {done.stderr[-500:]}")
    told: dict[str, Any] = {
        "engines": {engine: one["version"] for engine, one in found.items()},
        "custom": {name: [engine for engine, one in found.items() if name in one["custom"]] for name in CUSTOM},
        "types": {name.lower(): number for name, number in types.items()},
        "operators": {name: {"code": code} for name, code in sorted(operators.items(), key=lambda item: item[1])},
    }
    for engine, one in found.items():
        for name, span in one["had"].items():
            told["operators"][name][engine] = span
    OUT.write_text("\n".join(lines(told)) + "\n", encoding="utf-8")
    print(f"written: {OUT}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--probe"]:
        out = os.dup(1)
        os.dup2(2, 1)  # an engine may write to the standard output
        answer = json.dumps(probe(sys.argv[2], json.load(sys.stdin)))
        with os.fdopen(out, "w") as stream:
            stream.write(answer + "\n")
    elif sys.argv[1:2] == ["--custom"]:
        print(loader(sys.argv[2])(model(CUSTOM_CODE, custom=sys.argv[3])))
    else:
        main(sys.argv[1:])
