"""LiteRT's C interface through ctypes: its structures, its numbers, and a class that calls it.

``libLiteRt`` in the ``ai-edge-litert`` wheel exports it (symbol version VERS_1.0). The numbers are those of its
headers ``litert_environment_options.h``, ``litert_any.h``, ``litert_common.h``, ``litert_model_types.h`` and
``litert_layout.h``.
"""

import ctypes as c
from typing import Any

from mlserverless.engines import EngineMissing
from mlserverless.errors import ModelUnavailable

AUTO_REGISTER_ACCELERATORS, MIN_LOGGER_SEVERITY = 24, 25  # LiteRtEnvOptionTag
ANY_INT, CPU, ERRORS_ONLY = 2, 1, 3  # LiteRtAnyType, LiteRtHwAccelerators, LiteRtLogSeverity
READ, WRITE = 0, 1  # LiteRtTensorBufferLockMode
PER_TENSOR = 1  # LiteRtQuantizationTypeId
MAX_RANK = 8
DTYPES = {
    1: "float32",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float16",
    11: "float64",
    13: "uint64",
    16: "uint32",
    17: "uint16",
}
NO_SIGNATURE = "<placeholder signature>"  # the key of the one that LiteRT makes for a model that has none
NEEDED = (
    *("CreateEnvironment", "CreateModelFromBuffer", "GetNumModelSignatures", "GetModelSignature"),
    *("GetSignatureKey", "GetNumSignatureInputs", "GetNumSignatureOutputs"),
    *("GetSignatureInputName", "GetSignatureOutputName"),
    *("GetSignatureInputTensorByIndex", "GetSignatureOutputTensorByIndex"),
    *("GetRankedTensorType", "GetTensorName", "GetQuantizationTypeId", "GetPerTensorQuantization"),
    *("CreateOptions", "SetOptionsHardwareAccelerators", "CreateOpaqueOptions", "AddOpaqueOptions"),
    *(
        "CreateCompiledModel",
        "GetCompiledModelInputBufferRequirements",
        "GetCompiledModelOutputBufferRequirements",
    ),
    *("CreateManagedTensorBufferFromRequirements", "GetTensorBufferPackedSize", "LockTensorBuffer"),
    *("UnlockTensorBuffer", "RunCompiledModel", "DestroyTensorBuffer", "DestroyCompiledModel", "DestroyOptions"),
    "DestroyModel",
    # Not called: 2.2 brought it, with functions that take the environment. Those of 2.1, without, end the process.
    "CreateModelFromFd",
)
# What a model with open dimensions needs beside them.
NEEDED_OPEN = ("CompiledModelResizeInputTensor", "GetCompiledModelOutputTensorLayouts")


class _Any(c.Structure):
    _fields_ = (("type", c.c_int), ("value", c.c_int64))


class _EnvironmentOption(c.Structure):
    _fields_ = (("tag", c.c_int), ("value", _Any))


class Quantization(c.Structure):
    _fields_ = (("scale", c.c_float), ("zero_point", c.c_int64))


class Layout(c.Structure):
    # ``rank`` holds the rank in its low 7 bits; strides follow the dimensions.
    _fields_ = (
        ("rank", c.c_uint32),
        ("dimensions", c.c_int32 * MAX_RANK),
        ("strides", c.c_uint32 * MAX_RANK),
    )

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.dimensions[: self.rank & 0x7F])

    @shape.setter
    def shape(self, shape: tuple[int, ...]) -> None:
        self.rank = len(shape)
        self.dimensions[: len(shape)] = shape


class TensorType(c.Structure):
    _fields_ = (("element", c.c_int), ("layout", Layout))


# The options' text is ours, so LiteRT must not free it.
keep = c.CFUNCTYPE(None, c.c_void_p)(lambda _: None)


class Runtime:
    """The library and its one environment in this process; ``fresh`` until the first model is compiled."""

    fresh = True

    def __init__(self, path: str) -> None:
        try:
            self._library = c.CDLL(path)
        except OSError as error:
            raise EngineMissing(f"{path} cannot be loaded ({error})") from error
        self.require(NEEDED)
        options = (_EnvironmentOption * 2)(
            # Without these two it looks for GPUs and writes a dozen lines into the function's log.
            _EnvironmentOption(AUTO_REGISTER_ACCELERATORS, _Any(ANY_INT, CPU)),
            _EnvironmentOption(MIN_LOGGER_SEVERITY, _Any(ANY_INT, ERRORS_ONLY)),
        )
        self.environment = self.new("CreateEnvironment", c.c_int(len(options)), options)

    def require(self, names: tuple[str, ...]) -> None:
        """Raise EngineMissing where the library lacks one of the functions called ``names``."""
        if missing := [name for name in names if not hasattr(self._library, "LiteRt" + name)]:
            raise EngineMissing(f"this release of ai-edge-litert lacks LiteRt{missing[0]}")

    def text(self, name: str, *arguments: Any) -> str:
        """Call a function whose last argument receives a C string, and return it."""
        value = c.c_char_p()
        self.call(name, *arguments, c.byref(value))
        return (value.value or b"").decode("utf-8", "replace")

    def call(self, name: str, *arguments: Any) -> None:
        """Call ``LiteRt<name>``; raise ModelUnavailable for any status but OK (0)."""
        if status := getattr(self._library, "LiteRt" + name)(*arguments):
            raise ModelUnavailable(f"LiteRT cannot run this model: {name} answered with status {status}.")

    def new(self, name: str, *arguments: Any) -> c.c_void_p:
        """Call a function whose last argument receives a handle, and return the handle."""
        handle = c.c_void_p()
        self.call(name, *arguments, c.byref(handle))
        return handle

    def size(self, name: str, handle: c.c_void_p) -> int:
        """Call a function whose last argument receives a size, and return it."""
        value = c.c_size_t()
        self.call(name, handle, c.byref(value))
        return value.value

    def destroy(self, kind: str, handle: c.c_void_p) -> None:
        """Destroy ``handle``; these functions return nothing."""
        getattr(self._library, "LiteRtDestroy" + kind)(handle)
