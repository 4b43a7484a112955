"""MediaPipe Tasks' ImageClassifier, which resizes and scales by the model's metadata. Usage: MODEL URL [again]"""

import sys
from io import BytesIO
from urllib import request

import mediapipe as mp
import numpy as np
from mediapipe.tasks import python
from mediapipe.tasks.python import vision
from PIL import Image

options = vision.ImageClassifierOptions(
    base_options=python.BaseOptions(model_asset_path=sys.argv[1]), max_results=1
)
classifier = vision.ImageClassifier.create_from_options(options)


def answer() -> int:
    with request.urlopen(sys.argv[2]) as response:
        image = Image.open(BytesIO(response.read()))
    if image.mode != "RGB":
        image = image.convert("RGB")
    found = classifier.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=np.asarray(image)))
    return int(found.classifications[0].categories[0].index)


first = answer()
print(first, flush=True)

if len(sys.argv) > 3:
    from again import again

    again(answer, first)
