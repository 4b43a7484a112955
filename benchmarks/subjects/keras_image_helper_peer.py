"""keras-image-helper as its documentation shows it, before an interpreter. Usage: MODEL URL [again]

Its preprocessor downloads, resizes by the nearest pixel and scales to -1…1 as float32, whatever the model takes;
the numbers then go into the model's uint8 by the scale and zero point that the model states.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from keras_image_helper import create_preprocessor

preprocessor = create_preprocessor("xception", target_size=(224, 224))
interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
taken = interpreter.get_input_details()[0]
output_index = interpreter.get_output_details()[0]["index"]
scale, zero = taken["quantization"]


def answer() -> int:
    x = preprocessor.from_url(sys.argv[2])
    x = np.clip(np.round(x / scale + zero), 0, 255).astype(taken["dtype"])
    interpreter.set_tensor(taken["index"], x)
    interpreter.invoke()
    return int(interpreter.get_tensor(output_index)[0].argmax())


first = answer()
print(first, flush=True)

if len(sys.argv) > 3:
    from again import again

    again(answer, first)
