"""What every peer runs: LiteRT's Python interpreter on one thread, Pillow, numpy; one to a worker."""

import os
from io import BytesIO

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image


class Classifier:
    """An interpreter of its own, for one request at a time."""

    def __init__(self) -> None:
        self._interpreter = Interpreter(model_path=os.environ["BENCH_MODEL"], num_threads=1)
        self._interpreter.allocate_tensors()
        self._taken = self._interpreter.get_input_details()[0]["index"]
        self._given = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, data: bytes) -> int:
        """Return the class of the image whose encoded bytes are ``data``."""
        image = Image.open(BytesIO(data))
        if image.mode != "RGB":
            image = image.convert("RGB")
        image = image.resize((224, 224), Image.Resampling.BILINEAR)
        self._interpreter.set_tensor(self._taken, np.asarray(image)[None])
        self._interpreter.invoke()
        return int(self._interpreter.get_tensor(self._given)[0].argmax())
