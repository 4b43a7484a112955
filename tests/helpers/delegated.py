"""A delegate compiled from ``delegate.c``, and a model with the one operator that it takes over."""

import shutil
import subprocess
from pathlib import Path

import flatbuffers
import pytest

SOURCE = Path(__file__).with_name("delegate.c")
NEG = 59  # BuiltinOperator.NEG


def compiled(folder: Path, name: str = "libtest-delegate.so") -> Path:
    """Compile the delegate into ``folder``; skip the test where this machine has no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler here to make the delegate with")
    out = folder / name
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-O1", "-o", out, SOURCE], check=True
    )
    return out


def negated(shape: tuple[int, ...] = (1, 4)) -> bytes:
    """Return a model that answers −x for a float32 x of ``shape``. Field numbers follow ``schema.fbs``."""
    b = flatbuffers.Builder(256)

    def ints(*values: int) -> int:
        b.StartVector(4, len(values), 4)
        for value in reversed(values):
            b.PrependInt32(value)
        return int(b.EndVector())

    def tables(*offsets: int) -> int:
        b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            b.PrependUOffsetTRelative(offset)
        return int(b.EndVector())

    def tensor(name: str) -> int:
        shaped, named = ints(*shape), b.CreateString(name)
        b.StartObject(5)
        b.PrependUOffsetTRelativeSlot(0, shaped, 0)
        b.PrependUOffsetTRelativeSlot(3, named, 0)
        return int(b.EndObject())

    b.StartObject(1)
    buffer = int(b.EndObject())
    b.StartObject(4)
    b.PrependInt8Slot(0, NEG, 0)
    b.PrependInt32Slot(3, NEG, 0)
    code = int(b.EndObject())
    inputs, outputs = ints(0), ints(1)
    b.StartObject(4)
    b.PrependUOffsetTRelativeSlot(1, inputs, 0)
    b.PrependUOffsetTRelativeSlot(2, outputs, 0)
    operator = int(b.EndObject())
    tensors, operators = tables(tensor("x"), tensor("y")), tables(operator)
    graph_fields = (tensors, ints(0), ints(1), operators)
    b.StartObject(5)
    for slot, offset in enumerate(graph_fields):
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    graph = int(b.EndObject())
    graphs, codes, buffers = tables(graph), tables(code), tables(buffer)
    b.StartObject(5)
    b.PrependUint32Slot(0, 3, 0)  # the schema's version
    b.PrependUOffsetTRelativeSlot(1, codes, 0)
    b.PrependUOffsetTRelativeSlot(2, graphs, 0)
    b.PrependUOffsetTRelativeSlot(4, buffers, 0)
    b.Finish(int(b.EndObject()), file_identifier=b"TFL3")
    return bytes(b.Output())
