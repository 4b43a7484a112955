"""What a notebook does with images, in numpy and Pillow alone: the other side of a certificate, none of it ours.

Each step has its usual mistakes as knobs.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

Array = np.ndarray[Any, np.dtype[Any]]
MEANS = {
    "raw": (0.0, 1.0),
    "unit": (0.0, 255.0),
    "signed": (127.5, 127.5),
    "imagenet": (np.array((0.485, 0.456, 0.406)) * 255, np.array((0.229, 0.224, 0.225)) * 255),
    "caffe": (np.array((123.68, 116.779, 103.939)), 1.0),
}
METHODS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0)}


class Notebook(NamedTuple):
    """How it makes its tensor, and what it makes of the output."""

    size: tuple[int, int]  # height, width
    range: Any = "raw"
    order: str = "rgb"  # rgb, bgr or gray
    layout: str = "nhwc"  # nhwc, nchw, flat
    arrange: str = "right"  # right, reshaped, transposed
    resize: str = "bilinear"  # or "opencv": bilinear of two pixels each way, without antialiasing
    fit: str = "stretch"  # stretch, crop, side, pad
    crop: float = 1.0
    side: int = 0
    exif: bool = True
    ground: str = "white"  # white, black, drop
    dtype: str = "float32"
    scale: float = 0.0
    zero_point: int = 0
    quantise: str = "right"  # right, raw, cast, wrapped, no-zero-point
    activation: str = "none"  # none, softmax, sigmoid
    stored: bool = False  # the scores are the stored numbers

    def decode(self, data: bytes) -> Array:
        """Return RGB pixels."""
        image: Image.Image = Image.open(BytesIO(data))
        image = ImageOps.exif_transpose(image) if self.exif else image
        if image.mode == "RGBA" and self.ground != "drop":
            ground = Image.new("RGBA", image.size, GROUNDS[self.ground])
            image = Image.alpha_composite(ground, image)
        return np.asarray(image.convert("RGB"))

    def resized(self, pixels: Array) -> Array:
        """Return the pixels at the model's size."""
        image = Image.fromarray(pixels)
        image = image.convert("L") if self.order == "gray" else image
        height, width = self.size
        if self.resize == "opencv":
            return _two_by_two(np.asarray(image, np.float64), self.size)
        method, (w, h) = METHODS[self.resize], image.size
        if self.fit == "side":
            short = min(w, h)
            new = (self.side, self.side * h // short) if w <= h else (self.side * w // short, self.side)
            image = image.resize(new, method)
            left, top = round((new[0] - width) / 2), round((new[1] - height) / 2)
            return np.asarray(image.crop((left, top, left + width, top + height)))
        if self.fit == "pad":
            ratio = min(width / w, height / h)
            inner = max(1, round(w * ratio)), max(1, round(h * ratio))
            canvas = Image.new(image.mode, (width, height), "white")
            canvas.paste(image.resize(inner, method), ((width - inner[0]) // 2, (height - inner[1]) // 2))
            return np.asarray(canvas)
        box = (0.0, 0.0, float(w), float(h))
        if self.fit == "crop":
            share = self.crop * min(w / width, h / height)
            kept_w, kept_h = width * share, height * share
            box = (w - kept_w) / 2, (h - kept_h) / 2, (w + kept_w) / 2, (h + kept_h) / 2
        return np.asarray(image.resize((width, height), method, box))

    def tensor(self, resized: Array) -> Array:
        """Return the input tensor of one image, without the dimension of the batch."""
        mean, std = MEANS[self.range] if isinstance(self.range, str) else map(np.array, self.range)
        pixels = resized.astype(np.float64)
        real = (pixels - mean) / std
        if self.order == "bgr":
            pixels, real = pixels[..., ::-1], real[..., ::-1]
        if self.dtype == "float32":
            return self._arranged(real.astype(np.float32))
        ends = np.iinfo(self.dtype)
        if self.quantise == "cast":
            return self._arranged(real.astype(self.dtype))
        if self.quantise == "wrapped":
            return self._arranged(pixels.astype(np.uint8).view(np.int8))
        if self.quantise == "raw":
            return self._arranged((np.rint(pixels) - (128 if self.dtype == "int8" else 0)).astype(self.dtype))
        zero = 0 if self.quantise == "no-zero-point" else self.zero_point
        return self._arranged(np.clip(np.round(real / self.scale) + zero, ends.min, ends.max).astype(self.dtype))

    def _arranged(self, tensor: Array) -> Array:
        tensor = tensor[..., None] if tensor.ndim == 2 else tensor
        if self.arrange == "transposed":
            tensor = tensor.transpose(1, 0, 2)
        planes = self.layout == "nchw"
        shape = tensor.shape
        turned = (shape[2], shape[0], shape[1])
        if self.arrange == "reshaped":  # the numbers in the wrong order in the right shape
            tensor = tensor.reshape(turned) if planes else tensor.transpose(2, 0, 1).reshape(shape)
        elif planes:
            tensor = tensor.transpose(2, 0, 1)
        return np.ascontiguousarray(tensor.reshape(-1) if self.layout == "flat" else tensor)

    def scores(self, output: Array) -> Array:
        """Return the scores of real outputs (N, classes)."""
        if self.activation == "softmax":
            powers = np.exp(output - output.max(1, keepdims=True))
            return powers / powers.sum(1, keepdims=True)
        return 1 / (1 + np.exp(-output)) if self.activation == "sigmoid" else output


class Kernel:
    """The model in the notebook's interpreter."""

    def __init__(self, model: bytes) -> None:
        self.interpreter = Interpreter(model_content=model)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.output = self.interpreter.get_output_details()[0]

    def run(self, tensors: Sequence[Array], *, stored: bool = False) -> Array:
        """Return the real outputs (N, classes), or the ``stored`` numbers as floats."""
        rows = []
        scale, zero = self.output["quantization"]
        for tensor in tensors:
            self.interpreter.set_tensor(self.input["index"], tensor.reshape(self.input["shape"]))
            self.interpreter.invoke()
            row = self.interpreter.get_tensor(self.output["index"])[0].astype(np.float64)
            rows.append(row if stored or not scale else scale * (row - zero))
        return np.stack(rows)


def reference(notebook: Notebook, kernel: Kernel, images: Sequence[bytes]) -> dict[str, Any]:
    """Return all that the notebook can save of ``images``, by the keys of a reference."""
    decoded = [notebook.decode(data) for data in images]
    resized = [notebook.resized(pixels) for pixels in decoded]
    tensors = [notebook.tensor(pixels) for pixels in resized]
    output = kernel.run(tensors)
    scores = kernel.run(tensors, stored=True) if notebook.stored else notebook.scores(output)
    return {
        "images": list(images),
        "decoded": decoded,
        "resized": resized,
        "input": np.stack(tensors),
        "output": output,
        "scores": scores,
    }


def _two_by_two(pixels: Array, size: tuple[int, int]) -> Array:
    # Bilinear between the four nearest pixels, as OpenCV's INTER_LINEAR and tf.image without antialiasing.
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    places = []
    for side, had in zip(size, pixels.shape[:2], strict=True):
        at = np.clip((np.arange(side) + 0.5) * had / side - 0.5, 0, had - 1)
        low = np.floor(at).astype(int)
        places.append((low, np.minimum(low + 1, had - 1), at - low))
    (top, bottom, down), (left, right, across) = places
    above = pixels[top][:, left] * (1 - across)[:, None] + pixels[top][:, right] * across[:, None]
    below = pixels[bottom][:, left] * (1 - across)[:, None] + pixels[bottom][:, right] * across[:, None]
    mixed = above * (1 - down)[:, None, None] + below * down[:, None, None]
    return np.rint(mixed).astype(np.uint8).squeeze()
