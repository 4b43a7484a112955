"""Full TensorFlow: its decoder, its resize (bilinear), its own TFLite interpreter. Usage: MODEL URL [again]"""

import sys
from urllib import request

import tensorflow as tf

interpreter = tf.lite.Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
input_index = interpreter.get_input_details()[0]["index"]
output_index = interpreter.get_output_details()[0]["index"]


def answer() -> int:
    with request.urlopen(sys.argv[2]) as response:
        image = tf.io.decode_image(response.read(), channels=3, expand_animations=False)
    image = tf.cast(tf.image.resize(image, (224, 224)), tf.uint8)
    interpreter.set_tensor(input_index, image[tf.newaxis].numpy())
    interpreter.invoke()
    return int(interpreter.get_tensor(output_index)[0].argmax())


first = answer()
print(first, flush=True)

if len(sys.argv) > 3:
    from again import again

    again(answer, first)
