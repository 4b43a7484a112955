"""What stands behind a model's range and dtype: means, formats, and what is quantised and how far."""

from typing import TYPE_CHECKING

from mlserverless.errors import ModelUnavailable

if TYPE_CHECKING:
    from mlserverless.engines import Tensor
    from mlserverless.model_values import Range

# Mean and std of ImageNet's training images on 0…1 (torchvision's models); the means of Caffe's models in
# RGB order, on 0…255 (keras.applications.imagenet_utils, mode "caffe", which also swaps to BGR).
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = (123.68, 116.779, 103.939)
FLOATS = {"float32": "<f", "float16": "<e", "float64": "<d"}
FORMATS = FLOATS | {"uint8": "<B", "int8": "<b", "int16": "<h", "int32": "<i", "int64": "<q"}
# Lowest and highest value of what may be quantised, and what a raw pixel is lowered by.
QUANTISED = {"uint8": (0, 255, 0), "int8": (-128, 127, 128), "int16": (-32768, 32767, 0)}


def as_they_are(scale: "Range", tensor: "Tensor") -> bool:
    """Whether pixels go into an integer ``tensor`` without arithmetic, but for int8's being lowered by 128."""
    if scale not in ("raw", "") or tensor.dtype in FLOATS:
        return False
    return tensor.dtype in ("uint8", "int8") or not tensor.scale


def quantised(scale: "Range", tensor: "Tensor") -> tuple[int, int, int]:
    """Return the lowest and highest value of a quantised ``tensor``, and what it lowers raw pixels by.

    Raises ModelUnavailable where it is not quantised, so that only raw pixels can be fed to it.
    """
    if not tensor.scale or tensor.dtype not in QUANTISED:
        raise ModelUnavailable(
            f"The model's {tensor.dtype} input has no quantisation: its range must be raw, not {scale}."
        )
    return QUANTISED[tensor.dtype]
