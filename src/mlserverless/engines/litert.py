"""LiteRT through its C interface: the default engine, and the reason why the function path imports no numpy.

Where the library or a symbol is missing, :func:`engine` raises EngineMissing and the Python interpreter of the
same wheel takes over, with the same answers.
"""

import ctypes as c
import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from importlib.machinery import PathFinder
from os.path import isfile, join
from typing import TYPE_CHECKING, Any

from mlserverless.engines import PLAIN, WIDTHS, Engine, EngineMissing, Tensor, Wanted, described
from mlserverless.engines.capi import CPU, READ, WRITE, Runtime, keep
from mlserverless.engines.described import Described
from mlserverless.engines.quiet import quiet
from mlserverless.errors import ModelUnavailable

if TYPE_CHECKING:
    from mlserverless.types import Contents

_lock = threading.Lock()
_runtime: Runtime | None = None


class LiteRtInterpreter:
    """A compiled model with one managed buffer for each input and output of one signature."""

    def __init__(self, runtime: Runtime, model: "Contents", threads: int, wanted: Wanted = PLAIN) -> None:
        self._runtime, self._owned, self._process = runtime, list[tuple[str, c.c_void_p]](), os.getpid()
        # The library reads the weights from here for as long as the model lives.
        self._contents = c.c_char_p(model) if isinstance(model, bytes) else _address(model)
        handle = self._own(
            "Model", "CreateModelFromBuffer", runtime.environment, self._contents, c.c_size_t(len(model))
        )
        signature = described.signature(runtime, handle, wanted.signature)
        self._index = signature.place
        options = self._own("Options", "CreateOptions")
        runtime.call("SetOptionsHardwareAccelerators", options, c.c_int(CPU))
        self._payload = c.create_string_buffer(f"num_threads = {threads}\n".encode())
        opaque = runtime.new("CreateOpaqueOptions", c.c_char_p(b"xnnpack"), self._payload, keep)
        runtime.call("AddOpaqueOptions", options, opaque)
        with quiet() if runtime.fresh else nullcontext():
            where = runtime.environment
            self._compiled = self._own("CompiledModel", "CreateCompiledModel", where, handle, options)
        runtime.fresh = False
        taken, given = (described.describe(runtime, signature, kind) for kind in ("Input", "Output"))
        unsure = described.close(runtime, self._compiled, self._index, taken, given, model, wanted)
        self.inputs, self._inputs = self._buffers(taken, "Input")
        self.outputs, self._outputs = self._buffers(given, "Output")
        self._sizes = [
            runtime.size("GetTensorBufferPackedSize", c.c_void_p(b)) for b in (*self._inputs, *self._outputs)
        ]
        tensors = (*self.inputs, *self.outputs)
        if any(
            tensor.dtype in WIDTHS and tensor.bytes != n for tensor, n in zip(tensors, self._sizes, strict=True)
        ):
            raise ModelUnavailable("LiteRT cannot run this model: a tensor's size is not that of its shape.")
        if unsure and len(self.inputs) == 1:
            self._try()

    def _own(self, kind: str, name: str, *arguments: Any) -> c.c_void_p:
        handle = self._runtime.new(name, *arguments)
        self._owned.append((kind, handle))
        return handle

    def _try(self) -> None:
        try:
            self.run(bytes(self._sizes[0]))
        except ModelUnavailable as error:
            raise EngineMissing(
                "LiteRT's C interface cannot run this model, most likely since the size of an output depends on "
                f"the image: {error}"
            ) from error

    def _buffers(self, found: Described, kind: str) -> tuple[tuple[Tensor, ...], Any]:
        tensors, handles = [], []
        for i, (tensor, raw) in enumerate(found):
            tensors.append(tensor._replace(shape=raw.layout.shape))
            needs = self._runtime.new(
                f"GetCompiledModel{kind}BufferRequirements", self._compiled, self._index, c.c_size_t(i)
            )
            create = "CreateManagedTensorBufferFromRequirements"
            handles.append(self._own("TensorBuffer", create, self._runtime.environment, c.byref(raw), needs))
        return tuple(tensors), (c.c_void_p * len(handles))(*(handle.value for handle in handles))

    def run(self, data: bytes) -> list[bytes]:
        """Run the model on its one input and return each output's bytes.

        Raises ValueError where ``data`` is not exactly as long as the input tensor, or there is more than
        one input: a longer one would write past the buffer.
        """
        if len(self._inputs) != 1 or len(data) != self._sizes[0]:
            raise ValueError(f"{len(data)} bytes given to inputs of {self._sizes[: len(self._inputs)]} bytes")
        runtime, address = self._runtime, c.c_void_p()
        first = c.c_void_p(self._inputs[0])
        runtime.call("LockTensorBuffer", first, c.byref(address), c.c_int(WRITE))
        c.memmove(address, data, len(data))
        runtime.call("UnlockTensorBuffer", first)
        counts = c.c_size_t(1), c.c_size_t(len(self._outputs))
        runtime.call(
            "RunCompiledModel",
            self._compiled,
            self._index,
            counts[0],
            self._inputs,
            counts[1],
            self._outputs,
        )
        results = []
        for handle, size in zip(self._outputs, self._sizes[1:], strict=True):
            output = c.c_void_p(handle)
            runtime.call("LockTensorBuffer", output, c.byref(address), c.c_int(READ))
            results.append(c.string_at(address, size))
            runtime.call("UnlockTensorBuffer", output)
        return results

    def __del__(self, process: Callable[[], int] = os.getpid) -> None:
        # A fork has none of the threads that this would wait for. When Python ends, the module's names are gone.
        for kind, handle in reversed(self._owned) if process() == self._process else ():
            self._runtime.destroy(kind, handle)


def _address(mapped: Any) -> "c.Array[c.c_char]":
    return (c.c_char * len(mapped)).from_buffer(mapped)


def engine() -> Engine:
    """Return this engine, loading the library once in the process; raise EngineMissing where it is not here."""
    global _runtime
    with _lock:
        if _runtime is None:
            _runtime = Runtime(_library_path())
        runtime = _runtime

    def load(model: "Contents", threads: int, wanted: Wanted = PLAIN) -> LiteRtInterpreter:
        return LiteRtInterpreter(runtime, model, threads, wanted)

    return Engine("litert", load)


def _library_path() -> str:
    # find_spec runs nothing of the package: its Python side would import numpy.
    spec = PathFinder.find_spec("ai_edge_litert")
    name = "libLiteRt.dylib" if sys.platform == "darwin" else "libLiteRt.so"
    for folder in (spec and spec.submodule_search_locations) or ():
        if isfile(path := join(folder, name)):
            return path
    raise EngineMissing(f"no {name}: pip install ai-edge-litert, 2.1 or later")
