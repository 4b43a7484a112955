"""Model folders for tests of what is read from them, and what a wrong one says."""

from pathlib import Path

import pytest

from helpers import modelfile
from mlserverless.errors import ModelUnavailable
from mlserverless.model import load

DATA = modelfile.model()


def folder(path: Path, toml: str = "", data: bytes = DATA, labels: bytes = b"cat\ndog\n") -> str:
    """Write a model folder to ``path`` and return where it is."""
    path.mkdir(exist_ok=True)
    (path / "model.toml").write_text(toml)
    (path / "model.tflite").write_bytes(data)
    (path / "labels.txt").write_bytes(labels)
    return str(path)


def fails(where: str) -> str:
    """Return what loading the model at ``where`` says, which must fail."""
    with pytest.raises(ModelUnavailable) as caught:
        load(where)
    return str(caught.value)
