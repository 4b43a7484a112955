"""The floor: a raw socket, Pillow, ctypes and LiteRT's C interface; no checks. Usage: MODEL HOST PORT PATH"""

import ctypes as c
import socket
import sys
from importlib.machinery import PathFinder
from io import BytesIO

POINTER, SIZE, INT = c.c_void_p, c.c_size_t, c.c_int
spec = PathFinder.find_spec("ai_edge_litert")
library = c.CDLL(f"{next(iter(spec.submodule_search_locations))}/libLiteRt.so")


def made(name: str, *arguments: object) -> POINTER:
    handle = POINTER()
    if status := getattr(library, "LiteRt" + name)(*arguments, c.byref(handle)):
        raise SystemExit(f"{name}: {status}")
    return handle


with open(sys.argv[1], "rb") as file:
    data = file.read()
environment = made("CreateEnvironment", INT(0), None)
model = made("CreateModelFromBuffer", environment, c.c_char_p(data), SIZE(len(data)))
graph = made("GetModelSubgraph", model, SIZE(0))
options = made("CreateOptions")
library.LiteRtSetOptionsHardwareAccelerators(options, INT(1))
compiled = made("CreateCompiledModel", environment, model, options)
buffers = []
for kind in ("Input", "Output"):
    tensor = made(f"GetSubgraph{kind}", graph, SIZE(0))
    described = (c.c_byte * 256)()
    library.LiteRtGetRankedTensorType(tensor, described)
    needs = made(f"GetCompiledModel{kind}BufferRequirements", compiled, SIZE(0), SIZE(0))
    buffers.append(made("CreateManagedTensorBufferFromRequirements", environment, described, needs))

host, port, path = sys.argv[2:5]
connection = socket.create_connection((host, int(port)))
connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))

from PIL import Image  # noqa: E402 - after the model, as the floor's order is

image = Image.open(BytesIO(answer.split(b"\r\n\r\n", 1)[1]))
image.draft("RGB", (448, 448))
pixels = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR).tobytes()
address = POINTER()
library.LiteRtLockTensorBuffer(buffers[0], c.byref(address), INT(1))
c.memmove(address, pixels, len(pixels))
library.LiteRtUnlockTensorBuffer(buffers[0])
library.LiteRtRunCompiledModel(
    compiled, SIZE(0), SIZE(1), (POINTER * 1)(buffers[0]), SIZE(1), (POINTER * 1)(buffers[1])
)
library.LiteRtLockTensorBuffer(buffers[1], c.byref(address), INT(0))
scores = c.string_at(address, 1000)
print(max(range(1000), key=scores.__getitem__), flush=True)
