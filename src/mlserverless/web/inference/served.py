"""What the Open Inference Protocol tells of a model: its name, its version, the tensors it takes and gives."""

from math import prod
from typing import Any

from mlserverless.engines import Tensor
from mlserverless.loading import Loaded
from mlserverless.named_tuple import NamedTuple
from mlserverless.tasks.raw import DATATYPES
from mlserverless.types import is_tflite

VERSION_DIGITS = 12  # of the model file's SHA-256: what git, too, tells versions apart by


class Served(NamedTuple):
    """A loaded model under the name that it is asked for by.

    ``outputs`` are those that the protocol has a datatype for, each with its place among the model's; ``most``:
    how many may be sent at a time, along the first dimension; 1 for a model whose input or outputs have none.
    """

    name: str
    loaded: Loaded
    outputs: tuple[tuple[int, Tensor], ...]
    most: int

    @property
    def version(self) -> str:
        """The first digits of the model file's SHA-256: another file is another version."""
        return self.loaded.model.sha256[:VERSION_DIGITS]

    def is_version(self, given: str) -> bool:
        """Return whether ``given`` is this version: its digits, or more of the SHA-256."""
        return len(given) >= VERSION_DIGITS and self.loaded.model.sha256.startswith(given)

    @property
    def elements(self) -> int:
        """How many elements the model takes in one run."""
        return prod(self.loaded.input.shape)

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """Return a tensor's shape as clients see it: -1 where they choose how many they send."""
        return (-1, *tensor.shape[1:]) if self.most > 1 else tensor.shape


def served(name: str, loaded: Loaded, max_batch: int) -> Served:
    """Return how ``loaded`` is served; up to ``max_batch`` at a time where all its tensors begin with a 1."""
    outputs = tuple((place, tensor) for place, tensor in enumerate(loaded.outputs) if tensor.dtype in DATATYPES)
    tensors = (loaded.input, *(tensor for _, tensor in outputs))
    several = len(loaded.input.shape) > 1 and all(tensor.shape[:1] == (1,) for tensor in tensors)
    return Served(name, loaded, outputs, max_batch if several else 1)


def metadata(served: Served) -> dict[str, Any]:
    """Return the model metadata response object."""

    def told(tensor: Tensor) -> dict[str, Any]:
        datatype = DATATYPES[tensor.dtype]
        return {"name": tensor.known_as, "datatype": datatype, "shape": served.shape(tensor)}

    return {
        "name": served.name,
        "versions": [served.version],
        # <project>_<format>, as the protocol's own examples: onnx_onnxv1, tensorflow_savedmodel
        "platform": "tensorflow_tflite" if is_tflite(served.loaded.model.data) else "onnx_onnxv1",
        "inputs": [told(served.loaded.input)],
        "outputs": [told(tensor) for _, tensor in served.outputs],
    }
