"""What a compiled model takes and gives, as LiteRT's C interface tells it: a signature's tensors, their sizes."""

import ctypes as c
from typing import TYPE_CHECKING

from mlserverless.engines import Tensor, Wanted, chosen, closed
from mlserverless.engines.capi import (
    DTYPES,
    NEEDED_OPEN,
    NO_SIGNATURE,
    PER_TENSOR,
    Layout,
    Quantization,
    Runtime,
    TensorType,
)
from mlserverless.errors import ModelUnavailable
from mlserverless.named_tuple import NamedTuple

if TYPE_CHECKING:
    from mlserverless.types import Contents

Described = list[tuple[Tensor, TensorType]]


class Signature(NamedTuple):
    """One of the model's: its place, its handle, whether the file has it: LiteRT makes one for a file without."""

    place: c.c_size_t
    handle: c.c_void_p
    named: bool


def signature(runtime: Runtime, model: c.c_void_p, wanted: str) -> Signature:
    """Return the signature of ``model`` called ``wanted``, "" for the first; raise ModelUnavailable."""
    count = runtime.size("GetNumModelSignatures", model)
    found = [runtime.new("GetModelSignature", model, c.c_size_t(i)) for i in range(count)]
    if not found:
        raise ModelUnavailable("LiteRT cannot run this model: it has no graph.")
    keys = [runtime.text("GetSignatureKey", handle) for handle in found]
    named = keys != [NO_SIGNATURE]
    at = chosen(keys if named else (), wanted)
    return Signature(c.c_size_t(at), found[at], named)


def describe(runtime: Runtime, signature: Signature, kind: str) -> Described:
    """Return the tensors of ``kind``, "Input" or "Output", in the order in which they are taken and given.

    That is the subgraph's order, whatever the signature's own is.
    """
    tensors = []
    for i in range(runtime.size(f"GetNumSignature{kind}s", signature.handle)):
        of = signature.handle, c.c_size_t(i)
        tensor = runtime.new(f"GetSignature{kind}TensorByIndex", *of)
        alias = runtime.text(f"GetSignature{kind}Name", *of) if signature.named else ""
        raw, type_, quantization = TensorType(), c.c_int(), Quantization()
        runtime.call("GetRankedTensorType", tensor, c.byref(raw))
        runtime.call("GetQuantizationTypeId", tensor, c.byref(type_))
        if type_.value == PER_TENSOR:
            runtime.call("GetPerTensorQuantization", tensor, c.byref(quantization))
        dtype = DTYPES.get(raw.element, f"type {raw.element}")
        name = runtime.text("GetTensorName", tensor)
        found = Tensor(name, raw.layout.shape, dtype, quantization.scale, quantization.zero_point, alias)
        tensors.append((found, raw))
    return tensors


def close(
    runtime: Runtime,
    compiled: c.c_void_p,
    place: c.c_size_t,
    taken: Described,
    given: Described,
    model: "Contents",
    wanted: Wanted,
) -> bool:
    """Fill in the sizes that the model leaves open; return whether an output's may depend on the image.

    The library says 1 for each of them. What most classifiers look like has none, and is not looked up. Raises
    EngineMissing where the library has not what it takes, ModelUnavailable where nothing says how large.
    """
    if len(given) == 1 and len(given[0][0].shape) == 2 and all(1 not in one.shape[1:3] for one, _ in taken):
        return False
    from mlserverless.engines import signatures

    subgraph = signatures.choose(model, wanted.signature).subgraph
    open_taken, open_given = signatures.shapes(model, subgraph)
    if not any(shape == () or -1 in shape for shape in (*open_taken, *open_given)):
        return False
    runtime.require(NEEDED_OPEN)
    for i, (shape, (_, raw)) in enumerate(zip(open_taken, taken, strict=True)):
        raw.layout.shape = closed(shape, wanted)
        if -1 in shape[1:]:
            sizes = (c.c_int * len(shape))(*raw.layout.shape)
            where = place, c.c_size_t(i), sizes, c.c_size_t(len(sizes))
            runtime.call("CompiledModelResizeInputTensor", compiled, *where)
    layouts, allocate = (Layout * len(given))(), c.c_bool(True)
    runtime.call("GetCompiledModelOutputTensorLayouts", compiled, place, c.c_size_t(len(given)), layouts, allocate)
    for (_, raw), layout in zip(given, layouts, strict=True):
        raw.layout.shape = layout.shape
    # An output without dimensions may be one number; an open batch is the input's, where that has one.
    batched = any(shape[:1] == (-1,) for shape in open_taken)
    return any(not shape or -1 in (shape[1:] if batched else shape) for shape in open_given)
