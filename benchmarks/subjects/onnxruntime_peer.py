"""onnxruntime with urlopen, Pillow and numpy. Usage: MODEL.onnx URL [again]"""

import os
import sys
from io import BytesIO
from urllib import request

import numpy as np
from PIL import Image

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported: nothing here asks the internet
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name


def answer() -> int:
    with request.urlopen(sys.argv[2]) as response:
        image = Image.open(BytesIO(response.read()))
    if image.mode != "RGB":
        image = image.convert("RGB")
    image = image.resize((224, 224), Image.Resampling.BILINEAR)
    return int(session.run(None, {name: np.asarray(image)[None]})[0][0].argmax())


first = answer()
print(first, flush=True)

if len(sys.argv) > 3:
    from again import again

    again(answer, first)
