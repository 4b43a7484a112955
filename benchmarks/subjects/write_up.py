"""What write-ups of TFLite on Lambda do: urlopen, Pillow, numpy, its interpreter. Usage: MODEL URL [again]"""

import sys
from io import BytesIO
from urllib import request

import numpy as np
from PIL import Image

try:
    from tflite_runtime.interpreter import Interpreter
except ImportError:
    from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
input_index = interpreter.get_input_details()[0]["index"]
output_index = interpreter.get_output_details()[0]["index"]


def answer() -> int:
    with request.urlopen(sys.argv[2]) as response:
        image = Image.open(BytesIO(response.read()))
    if image.mode != "RGB":
        image = image.convert("RGB")
    image = image.resize((224, 224), Image.Resampling.NEAREST)
    interpreter.set_tensor(input_index, np.array(image, dtype="uint8")[None])
    interpreter.invoke()
    return int(interpreter.get_tensor(output_index)[0].argmax())


first = answer()
print(first, flush=True)

if len(sys.argv) > 3:
    from again import again

    again(answer, first)
