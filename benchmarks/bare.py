"""What a warm answer cannot do without, written as plainly and as fast as it can be, without a single check.

A connection that stays open, Pillow's decoding with ``draft``, one resize, one invoke through LiteRT's C
interface. It stands by itself: nothing of it is this project's.
"""

import ctypes as c
import os
import socket
from importlib.machinery import PathFinder
from io import BytesIO
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

from PIL import Image

POINTER, SIZE, INT = c.c_void_p, c.c_size_t, c.c_int
SIDE, CLASSES = 224, 1000
ERRORS_ONLY = (25, (2, 3))  # LiteRtEnvOptionTag, LiteRtAny: keeps a dozen lines off the terminal
_no_op = c.CFUNCTYPE(None, c.c_void_p)(lambda _: None)


class _Any(c.Structure):
    _fields_ = (("type", c.c_int), ("value", c.c_int64))


class _Option(c.Structure):
    _fields_ = (("tag", c.c_int), ("value", _Any))


class Model:
    """The .tflite file at ``path``, compiled; ``threads`` is what an invoke may use."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        spec = PathFinder.find_spec("ai_edge_litert")
        assert spec is not None
        assert spec.submodule_search_locations is not None
        self._library = library = c.CDLL(os.path.join(spec.submodule_search_locations[0], "libLiteRt.so"))
        self._data = path.read_bytes()
        self._environment = environment = self._made(
            "CreateEnvironment", INT(1), c.byref(_Option(ERRORS_ONLY[0], _Any(*ERRORS_ONLY[1])))
        )
        model = self._made("CreateModelFromBuffer", environment, c.c_char_p(self._data), SIZE(len(self._data)))
        graph = self._made("GetModelSubgraph", model, SIZE(0))
        options = self._made("CreateOptions")
        library.LiteRtSetOptionsHardwareAccelerators(options, INT(1))
        self._payload = c.create_string_buffer(f"num_threads = {threads}\n".encode())
        opaque = self._made("CreateOpaqueOptions", c.c_char_p(b"xnnpack"), self._payload, _no_op)
        library.LiteRtAddOpaqueOptions(options, opaque)
        self._compiled = self._made("CreateCompiledModel", environment, model, options)
        buffers = []
        for kind in ("Input", "Output"):
            tensor = self._made(f"GetSubgraph{kind}", graph, SIZE(0))
            described = (c.c_byte * 256)()
            library.LiteRtGetRankedTensorType(tensor, described)
            needs = self._made(f"GetCompiledModel{kind}BufferRequirements", self._compiled, SIZE(0), SIZE(0))
            buffers.append(self._made("CreateManagedTensorBufferFromRequirements", environment, described, needs))
        self._taken, self._given = buffers
        self._inputs, self._outputs = (POINTER * 1)(self._taken), (POINTER * 1)(self._given)

    def _made(self, name: str, *arguments: object) -> POINTER:
        handle = POINTER()
        if status := getattr(self._library, "LiteRt" + name)(*arguments, c.byref(handle)):
            raise RuntimeError(f"{name}: {status}")
        return handle

    def invoke(self, pixels: bytes) -> bytes:
        """Return the scores of ``pixels``, RGB bytes of the model's size."""
        library, address = self._library, POINTER()
        library.LiteRtLockTensorBuffer(self._taken, c.byref(address), INT(1))
        c.memmove(address, pixels, len(pixels))
        library.LiteRtUnlockTensorBuffer(self._taken)
        library.LiteRtRunCompiledModel(self._compiled, SIZE(0), SIZE(1), self._inputs, SIZE(1), self._outputs)
        library.LiteRtLockTensorBuffer(self._given, c.byref(address), INT(0))
        scores = c.string_at(address, CLASSES)
        library.LiteRtUnlockTensorBuffer(self._given)
        return scores


class Origin:
    """One connection to the origin of ``url`` that stays open."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._connection = socket.create_connection((str(where.hostname), where.port or 80))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = where.netloc

    def get(self, path: str) -> bytes:
        """Return the body at ``path``, by its Content-Length."""
        connection = self._connection
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        head = connection.recv(65536)
        while (end := head.find(b"\r\n\r\n")) < 0:
            head += connection.recv(65536)
        at = head.lower().index(b"content-length:") + 15
        body, length = head[end + 4 :], int(head[at : head.index(b"\r\n", at)])
        return body + connection.recv(length - len(body), socket.MSG_WAITALL) if len(body) < length else body


def pixels(data: bytes) -> bytes:
    """Return the image in ``data`` at the model's size, a JPEG decoded at a fraction of its own."""
    image = Image.open(BytesIO(data))
    image.draft("RGB", (2 * SIDE, 2 * SIDE))
    if image.mode != "RGB":
        image = image.convert("RGB")
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR).tobytes()


def best(scores: bytes) -> int:
    """Return the class with the highest score."""
    return scores.index(max(scores))


def predict(model: Model, origin: Origin, path: str) -> int:
    """Return the class of the image at ``path``."""
    return best(model.invoke(pixels(origin.get(path))))


def stages(model: Model, origin: Origin, path: str) -> dict[str, float]:
    """Return the milliseconds of each step of one answer."""
    marks = [perf_counter()]
    data = origin.get(path)
    marks.append(perf_counter())
    taken = pixels(data)
    marks.append(perf_counter())
    best(model.invoke(taken))
    marks.append(perf_counter())
    names = "download", "prepare", "invoke"  # what ours are called
    return {name: 1000 * (marks[i + 1] - marks[i]) for i, name in enumerate(names)}
