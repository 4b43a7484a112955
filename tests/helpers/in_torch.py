"""Run in the environment of requirements/models/torch.txt: what the module for PyTorch makes of small models.

Prints a JSON object: a case's name, and the largest difference between the original and what it became, or
the error.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from helpers.cases import tell
from mlserverless.conversion.frameworks import Asked, open_source
from mlserverless.conversion.source import recognise

SHAPE = (1, 3, 12, 10)
PLACE = Path(tempfile.mkdtemp())


class Network(nn.Module):
    """A convolution, a normalisation, the means, a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 4),
        )

    def forward(self, image: torch.Tensor) -> Any:
        return {"logits": self.layers(image), "size": image.mean((2, 3))}


class Deciding(nn.Module):
    """One whose way depends on its input's values, which no export follows."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image if image.sum() > 0 else -image


class Two(nn.Module):
    """One with two inputs."""

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return one + other


def exported(module: nn.Module, *inputs: torch.Tensor) -> Path:
    path = PLACE / f"{type(module).__name__}.pt2"
    torch.export.save(torch.export.export(module.eval(), inputs), path)
    return path


def difference(source: Any, form: str = "tflite", **asked: Any) -> float:
    """Return the largest difference between the original and what it became, on one input."""
    original = open_source(recognise(source), Asked(**asked))
    array = np.random.default_rng(3).random(original.input.shape, np.float32)
    wanted = original.run(array)
    place = Path(tempfile.mkdtemp(dir=PLACE))
    made = place / f"made.{form}"
    made.write_bytes(original.onnx(place) if form == "onnx" else original.tflite(place, [array]))
    given = open_source(recognise(made), Asked()).run(array)
    assert [one.shape for one in given] == [one.shape for one in wanted]
    return max(float(np.abs(one - other).max()) for one, other in zip(given, wanted, strict=True))


def told(source: Any, **asked: Any) -> list[Any]:
    """Return what is known of the source."""
    found = open_source(recognise(source), Asked(**asked))
    return [found.framework.split()[0], list(found.input.shape), found.weight]


def nonsense() -> Path:
    (PLACE / "broken.pt2").write_bytes(b"nonsense")
    return PLACE / "broken.pt2"


CASES = {
    "module": lambda: difference(Network(), shape=SHAPE),
    "module to onnx": lambda: difference(Network(), "onnx", shape=SHAPE),
    "module without a shape": lambda: difference(Network()),
    "function that makes it": lambda: difference(Network, shape=SHAPE),
    "told": lambda: told(Network(), shape=SHAPE),
    "program": lambda: difference(exported(Network(), torch.zeros(SHAPE))),
    "program with two inputs": lambda: difference(exported(Two(), torch.zeros(SHAPE), torch.zeros(SHAPE))),
    "damaged program": lambda: difference(nonsense()),
    "one that decides": lambda: difference(Deciding(), shape=SHAPE),
    "one that decides, to onnx": lambda: difference(Deciding(), "onnx", shape=SHAPE),
}


if __name__ == "__main__":
    tell(CASES)
