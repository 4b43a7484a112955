"""The pipeline that serves, one step at a time, as arrays: what is certified is what answers.

Each step here is a call of the function that a request goes through; nothing is computed a second way.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from mlserverless import formats, modes, postprocess, prepare, preprocess
from mlserverless.certification.arrays import Array
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.loading import Loaded
from mlserverless.model_toml import Input
from mlserverless.target import ORDERS, Target

if TYPE_CHECKING:
    from PIL.Image import Image


class Served:
    """A loaded model and the settings that it is served with."""

    def __init__(self, loaded: Loaded, settings: Settings) -> None:
        self.loaded, self.settings = loaded, settings
        self.input: Input = loaded.model.input
        self.tensor = loaded.input
        self.target = loaded.target

    def opened(self, source: bytes | Array, *, exif: bool = True) -> "Image":
        """Return an encoded image, or RGB pixels, opened as a request's is; ``exif``: its orientation is kept."""
        if isinstance(source, bytes):
            image = formats.open_image(source, formats=self.settings.formats, max_pixels=self.settings.max_pixels)
        else:
            from PIL import Image as pil

            image = pil.fromarray(source)
        if not exif:
            image.info.pop("exif", None)
        return image

    def upright(self, source: bytes | Array, *, exif: bool = True, background: str = "") -> Array:
        """Return the pixels of a whole image, decoded and upright: (height, width, 3) uint8, RGB."""
        image = self.opened(source, exif=exif)
        width, height = image.size[::-1] if exif and sideways(image) else image.size
        whole = Target(height, width, "rgb", "nhwc")
        made = prepare.prepare_input(
            image,
            whole,
            Input(fit="centre"),
            background=background or self.settings.background,
            decode="exact",
        )
        return as_array(made.pixels, whole)

    def resized(
        self,
        source: "bytes | Array | Image",
        wanted: Input | None = None,
        *,
        background: str = "",
        exact: bool = True,
    ) -> Array:
        """Return an image's pixels at the model's size: (height, width, C), RGB, RGBA or grey, 0…255.

        uint8, or float32 where the resizer leaves fractions. ``wanted`` instead of what model.toml says;
        ``exact``: not decoded at a fraction of its size. ``background`` instead of the setting. Raises
        ModelUnavailable for what does not fit the model's input.
        """
        target = self.target if wanted is None else preprocess.check(wanted, self.tensor)
        made = prepare.prepare_input(
            self.opened(source) if isinstance(source, bytes | np.ndarray) else source,
            target,
            self.input if wanted is None else wanted,
            background=background or self.settings.background,
            decode="exact" if exact else self.settings.decode,
        )
        return as_array(made.pixels, target)

    def fed(self, pixels: Array, wanted: Input | None = None) -> Array:
        """Return the model's input tensor, of its shape and dtype, for :meth:`resized` ``pixels``."""
        chosen = self.input if wanted is None else wanted
        target = self.target if wanted is None else preprocess.check(wanted, self.tensor)
        data = preprocess.tensor_bytes(as_pixels(pixels), chosen.range, self.tensor, target)
        return np.frombuffer(data, self.tensor.dtype).reshape(self.tensor.shape)

    def run(self, tensor: Array) -> Array:
        """Return the model's real values for an input ``tensor``, before the activation: (classes,) float64."""
        return self.real(self._invoke(tensor))

    def stored(self, tensor: Array) -> Array:
        """Return the same as the numbers that stand in a quantised output, not made real."""
        return np.array(postprocess.stored(self._invoke(tensor), self.loaded.output.dtype), np.float64)

    def real(self, data: bytes) -> Array:
        """Return the real values of the output's bytes ``data``."""
        return np.array(postprocess.real(data, self.loaded.output), np.float64)

    def _invoke(self, tensor: Array) -> bytes:
        data = np.ascontiguousarray(tensor, self.tensor.dtype).tobytes()
        outputs = self.loaded.pool.run(lambda interpreter: interpreter.run(data), Deadline())
        return outputs[self.loaded.places[0]]

    def activated(self, values: Array, activation: str = "") -> Array:
        """Return real values of one output after ``activation``; without one, as they are answered: after
        model.toml's and, where the model brings curves, calibrated."""
        data = np.ascontiguousarray(values, np.float64).tobytes()
        tensor = self.loaded.output._replace(dtype="float64", scale=0.0, zero_point=0)
        made = postprocess.scores(data, tensor, activation or self.loaded.model.output.activation)
        if not activation and self.loaded.model.curves:
            from mlserverless.metadata import calibration

            made = calibration.apply(made, self.loaded.model.curves)
        return np.array(made, np.float64)


def sideways(image: "Image") -> bool:
    """Whether the Exif orientation of ``image`` swaps its width and height."""
    return modes.turned(image) in modes.SIDEWAYS


def as_array(pixels: Any, target: Target) -> Array:
    """Return what prepare gives as an array (height, width, C): uint8, or float32 from a resizer's planes."""
    shape = target.height, target.width, len(ORDERS[target.channels])
    if isinstance(pixels, bytes):
        return np.frombuffer(pixels, np.uint8).reshape(shape)
    return np.stack([np.asarray(plane, np.float32) for plane in pixels], axis=-1)


def as_pixels(pixels: Array) -> Any:
    """Return an array (height, width, C), 0…255, as what preprocess takes."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels).tobytes()
    from PIL import Image

    planes = np.moveaxis(np.asarray(pixels, np.float32), -1, 0)
    return tuple(Image.fromarray(np.ascontiguousarray(plane)) for plane in planes)
