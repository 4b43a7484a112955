"""All of a model's metadata, read as a function and `inspect` read it: for whatever tries to break the reader."""

from mlserverless.metadata import calibration, labels
from mlserverless.metadata.read import read
from mlserverless.metadata.records import Metadata
from mlserverless.metadata.settle import label_files

MOST = 100  # outputs, and label files of each: a model file may name thousands, which its user would not ask for


def whole(model: bytes) -> Metadata:
    """Return the metadata of ``model``, every file that it names read, too; raises only ModelUnavailable.

    AssertionError where what is read could not be relied on.
    """
    found = read(model)
    for tensor in found.inputs + found.outputs:
        assert len({len(tensor.mean), len(tensor.std)} - {0, 1}) <= 1, tensor
        assert all(tensor.std), tensor
        assert tensor.color_space in ("", "rgb", "gray"), tensor
    label_files(model, found, ("scores",))
    for output in found.outputs[:MOST]:
        for file in output.labels[:MOST]:
            labels.listed(model, file.name, b"cat\ndog\n")
            assert labels.packed(model, file.name)
        if output.calibration:
            assert calibration.read(model, output.calibration).sigmoids
    return found
