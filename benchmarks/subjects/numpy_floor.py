"""The numpy floor: a raw socket, Pillow, numpy, LiteRT's Python interpreter, one invoke; no checks.

Usage: MODEL HOST PORT PATH
"""

import socket
import sys
from io import BytesIO

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
host, port, path = sys.argv[2:5]
connection = socket.create_connection((host, int(port)))
connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
image = Image.open(BytesIO(answer.split(b"\r\n\r\n", 1)[1])).resize((224, 224), Image.Resampling.BILINEAR)
interpreter.set_tensor(taken, np.asarray(image)[None])
interpreter.invoke()
print(int(interpreter.get_tensor(given)[0].argmax()), flush=True)
