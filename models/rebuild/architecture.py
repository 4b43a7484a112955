"""The layers of EfficientNet-Lite0 in Keras, and which published weights go into each.

The table of stages is that of EfficientNet-B0 (Tan and Le, "EfficientNet", 2019, table 1). The Lite
variants leave out squeeze-and-excitation, which accelerators support poorly, and put ReLU6 in place of
swish, because its bounded output quantises well. Each block is an inverted residual (Sandler et al.,
"MobileNetV2", 2018): expand with a 1x1 convolution, filter each channel on its own, project back, add the
input where the shapes agree.

Layer names follow the checkpoint, with dots as underscores; they end up in the converted file.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import tensorflow as tf
from weights import Array, Weights

_BATCH_NORM_EPSILON = 1e-3
_BATCH_NORM_PARAMETERS = ("weight", "bias", "running_mean", "running_var")
_HEAD_CHANNELS = 1280


class Stage(NamedTuple):
    """A run of blocks. Only the first block of a stage strides and changes the number of channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels_in: int
    channels_out: int


STAGES = (
    Stage(1, 3, 1, 1, 32, 16),
    Stage(2, 3, 2, 6, 16, 24),
    Stage(2, 5, 2, 6, 24, 40),
    Stage(3, 3, 2, 6, 40, 80),
    Stage(3, 5, 1, 6, 80, 112),
    Stage(4, 5, 2, 6, 112, 192),
    Stage(1, 3, 1, 6, 192, 320),
)


@dataclass
class Network:
    """Adds layers to a graph by their checkpoint name and remembers which weights each is to receive.

    Keras tensors and layers are typed as `Any`: TensorFlow publishes no types for them.
    """

    weights: Weights
    pending: list[tuple[Any, list[Array]]] = field(default_factory=list)

    def convolution(self, x: Any, name: str, channels: int, kernel: int, stride: int = 1) -> Any:
        """Full convolution. Kernel axes: (out, in, height, width) become (height, width, in, out)."""
        options = {"padding": "same", "use_bias": False, "name": _layer_name(name)}
        layer = tf.keras.layers.Conv2D(channels, kernel, stride, **options)
        return self._add(layer, x, [self.weights[f"{name}.weight"].transpose(2, 3, 1, 0)])

    def depthwise(self, x: Any, name: str, kernel: int, stride: int) -> Any:
        """Per-channel convolution. Kernel axes: (c, 1, height, width) become (height, width, c, 1)."""
        options = {"padding": "same", "use_bias": False, "name": _layer_name(name)}
        layer = tf.keras.layers.DepthwiseConv2D(kernel, stride, **options)
        return self._add(layer, x, [self.weights[f"{name}.weight"].transpose(2, 3, 0, 1)])

    def normalise(self, x: Any, name: str, relu6: bool = True) -> Any:
        """Batch normalisation, followed by ReLU6 unless the block stays linear here."""
        layer = tf.keras.layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=_layer_name(name))
        x = self._add(layer, x, [self.weights[f"{name}.{part}"] for part in _BATCH_NORM_PARAMETERS])
        return tf.keras.layers.ReLU(6.0)(x) if relu6 else x

    def dense(self, x: Any, name: str, weights: list[Array], activation: str | None = None) -> Any:
        """Fully connected layer; `weights` are its kernel (in, out) and, if it has one, its bias."""
        units, use_bias = weights[0].shape[1], len(weights) == 2
        layer = tf.keras.layers.Dense(units, activation=activation, use_bias=use_bias, name=name)
        return self._add(layer, x, weights)

    def block(self, x: Any, index: int, stage: Stage, first: bool) -> Any:
        """One inverted residual block."""
        prefix = f"_blocks.{index}."
        stride = stage.stride if first else 1
        channels_in = stage.channels_in if first else stage.channels_out
        y = x
        if stage.expansion != 1:
            y = self.convolution(y, f"{prefix}_expand_conv", channels_in * stage.expansion, 1)
            y = self.normalise(y, f"{prefix}_bn0")
        y = self.depthwise(y, f"{prefix}_depthwise_conv", stage.kernel, stride)
        y = self.normalise(y, f"{prefix}_bn1")
        y = self.convolution(y, f"{prefix}_project_conv", stage.channels_out, 1)
        y = self.normalise(y, f"{prefix}_bn2", relu6=False)
        return tf.keras.layers.Add()([x, y]) if stride == 1 and channels_in == stage.channels_out else y

    def features(self, image: Any) -> Any:
        """From an image [1, size, size, 3], already scaled, to its 1280 features [1, 1280]."""
        x = self.normalise(self.convolution(image, "_conv_stem", STAGES[0].channels_in, 3, 2), "_bn0")
        index = 0
        for stage in STAGES:
            for position in range(stage.blocks):
                x = self.block(x, index, stage, first=position == 0)
                index += 1
        x = self.normalise(self.convolution(x, "_conv_head", _HEAD_CHANNELS, 1), "_bn1")
        return tf.keras.layers.GlobalAveragePooling2D()(x)

    def fill(self) -> None:
        """Set the weights, now that the layers exist."""
        for layer, values in self.pending:
            layer.set_weights(values)

    def _add(self, layer: Any, x: Any, values: list[Array]) -> Any:
        self.pending.append((layer, values))
        return layer(x)


def _layer_name(checkpoint_name: str) -> str:
    return checkpoint_name.replace(".", "_")
