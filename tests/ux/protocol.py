"""The Open Inference Protocol with a client that nobody here wrote: Triton's, against the real runtimes.

What comes back is compared, element by element, with what the engine answers in this process to the same bytes.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tritonclient.http as triton
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

import mlserverless
from helpers import examples, onnxmodel
from helpers.figures import Figure, Scale, skip
from helpers.runtimes import REASONS, start
from mlserverless.deadline import Deadline
from mlserverless.loading import Loaded
from mlserverless.predictor import Predictor
from ux import protocol_bodies

PAGE = examples.ROOT / "docs/reference/open-inference-protocol.md"
NAME, BAR = "Open Inference Protocol with Triton's client", "health, metadata, infer pass on all adapters"
CLOUDS = ("aws", "azure", "gcp", "wsgi")
TOML = '[input]\nrange = "unit"\n[output]\nscores = "scores"\n'
Check = tuple[str, Callable[[], Any]]
Array = np.ndarray[Any, np.dtype[Any]]


class Model(NamedTuple):
    """A model, loaded here as it is over there, and the figures' random tensors for it."""

    name: str
    loaded: Loaded
    datatype: str

    def tensor(self, batch: int, seed: int) -> Array:
        """Return a tensor that the model takes, of ``batch`` images."""
        random, shape = np.random.default_rng(seed), (batch, *self.loaded.input.shape[1:])
        if self.datatype == "UINT8":
            return random.integers(0, 256, shape, np.uint8)
        return random.random(shape, np.float32)

    def expected(self, tensor: Array) -> dict[str, Array]:
        """Return what the engine answers in this process, each run on its own, joined."""
        runs = [
            self.loaded.pool.run(lambda one, data=data: one.run(data.tobytes()), Deadline()) for data in tensor
        ]
        found = {}
        for place, output in enumerate(self.loaded.outputs):
            data = b"".join(run[place] for run in runs)
            found[output.alias or output.name] = np.frombuffer(data, output.dtype).reshape(
                len(runs), *output.shape[1:]
            )
        return found


def measure(scale: Scale) -> list[Figure]:
    """Return the figure of the client, one for each runtime that cannot run here, and that of the memory."""
    missing = {cloud: told for cloud in CLOUDS if (told := REASONS[cloud]()) is not None}
    passed, failed, compared, seconds = dict[str, int](), list[str](), [0], dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        models = list(_models(Path(folder)))
        settings = {
            "MLSERVERLESS_MODEL": "efficientnet-lite0",
            "MLSERVERLESS_MODELS": f"dogs-vs-cats,land={folder}/land",
        }
        for cloud in CLOUDS:
            if cloud in missing:
                continue
            begun, running = time.monotonic(), start(cloud, settings)
            try:
                with triton.InferenceServerClient(running.url.removeprefix("http://"), concurrency=4) as client:
                    passed[cloud] = 0
                    for name, check in _checks(client, running.url, models, compared, scale.of(20, 2)):
                        try:
                            check()
                            passed[cloud] += 1
                        except Exception as error:  # noqa: BLE001 - a check that breaks is one that fails
                            failed.append(f"{cloud}: {name}: {type(error).__name__}: {error}")
            finally:
                running.close()
            seconds[cloud] = round(time.monotonic() - begun, 1)
    total = sum(passed.values()) + len(failed)
    told = f"{sum(passed.values())} of {total} checks pass on {', '.join(passed)}; {compared[0]:,} elements equal"
    details = {
        "client": f"tritonclient {version('tritonclient')}",
        "passed": passed,
        "failed": failed,
        "elements equal": compared[0],
        "seconds": seconds,
    }
    figure = Figure(NAME, BAR, told, bool(passed) and not failed and compared[0] > 0, details)
    skipped = (skip(f"{NAME}, {cloud}", BAR, reason) for cloud, reason in missing.items())
    return [figure, *skipped, protocol_bodies.figure(scale)]


def _models(folder: Path) -> Iterator[Model]:
    """Yield a quantised model, one of floats, and one in ONNX with two outputs, whose batch is left open."""
    land = folder / "land"
    land.mkdir()
    (land / "model.toml").write_text(TOML)
    (land / "model.onnx").write_bytes(onnxmodel.classifier(("n", 3, 32, 32), batch="n", also="int64"))
    for name, where, datatype in (
        ("efficientnet-lite0", "efficientnet-lite0", "UINT8"),
        ("dogs-vs-cats", "dogs-vs-cats", "FP32"),
        ("land", str(land), "FP32"),
    ):
        yield Model(name, Predictor(where).load(), datatype)


def _checks(client: Any, url: str, models: list[Model], compared: list[int], times: int) -> Iterator[Check]:
    yield "live", lambda: _same(client.is_server_live(), True)
    yield "ready", lambda: _same(client.is_server_ready(), True)
    yield "server", lambda: _same(client.get_server_metadata(), _server())
    for model in models:
        yield f"{model.name} ready", partial(_ready, client, model)
        yield f"{model.name} metadata", partial(_metadata, client, model)
        for batch, (sent, told) in product((1, 3), ((True, None), (False, False), (True, False), (False, True))):
            name = f"{model.name} infer, {batch}, sent in binary: {sent}, asked for in binary: {told}"
            yield name, partial(_infer, client, model, batch, sent, told, compared)
        yield f"{model.name} classes", partial(_classes, client, model)
    yield "several at a time", partial(_several, client, models[0], compared, times)
    yield "the document's example", partial(_document, url)
    yield "the asynchronous client", lambda: asyncio.run(_aio(url, models[0], compared))
    for name, said, call in _wrong(client, models[0]):
        yield f"refused: {name}", partial(_refused, said, call)
    yield "an unknown model is not ready", lambda: _same(client.is_model_ready("nothing"), False)
    yield "another version is not ready", lambda: _same(client.is_model_ready(models[0].name, "1"), False)


def _server() -> dict[str, Any]:
    extensions = ["binary_tensor_data", "classification"]
    return {"name": "mlserverless", "version": mlserverless.__version__, "extensions": extensions}


def _ready(client: Any, model: Model) -> None:
    _same(client.is_model_ready(model.name), True)
    _same(client.is_model_ready(model.name, model.loaded.model.sha256[:12]), True)


def _metadata(client: Any, model: Model) -> None:
    told = client.get_model_metadata(model.name)
    _same((told["name"], told["versions"]), (model.name, [model.loaded.model.sha256[:12]]))
    tensor = model.loaded.input
    shape = [-1, *tensor.shape[1:]]
    _same(told["inputs"], [{"name": tensor.name, "datatype": model.datatype, "shape": shape}])
    _same([output["name"] for output in told["outputs"]], [output.name for output in model.loaded.outputs])


def _asked(model: Model, tensor: Array, *, binary: bool = True) -> list[Any]:
    asked = triton.InferInput(model.loaded.input.name, list(tensor.shape), model.datatype)
    return [asked.set_data_from_numpy(tensor, binary_data=binary)]


def _infer(client: Any, model: Model, batch: int, sent: bool, told: bool | None, compared: list[int]) -> None:
    tensor, names = model.tensor(batch, 7 * batch), [output.name for output in model.loaded.outputs]
    outputs = None
    if told is not None:
        outputs = [triton.InferRequestedOutput(name, binary_data=told) for name in names]
    answer = client.infer(model.name, _asked(model, tensor, binary=sent), outputs=outputs, request_id="order-66")
    response = answer.get_response()
    _same((response["id"], response["model_name"]), ("order-66", model.name))
    _same(response["model_version"], model.loaded.model.sha256[:12])
    _compare(answer, model, tensor, compared)


def _compare(answer: Any, model: Model, tensor: Array, compared: list[int]) -> None:
    for name, wanted in model.expected(tensor).items():
        found = answer.as_numpy(name)
        assert found is not None, f"there is no output {name}"
        _same((found.shape, found.dtype), (wanted.shape, wanted.dtype))
        _same(triton_to_np_dtype(answer.get_output(name)["datatype"]), wanted.dtype.type)
        assert found.tobytes() == wanted.tobytes(), f"{name}: {np.count_nonzero(found != wanted)} elements differ"
        compared[0] += found.size


def _classes(client: Any, model: Model) -> None:
    """Triton's classification extension, in binary as this client asks for it."""
    scores, tensor = model.loaded.output, model.tensor(2, 5)
    outputs = [triton.InferRequestedOutput(scores.name, class_count=1)]
    found = client.infer(model.name, _asked(model, tensor), outputs=outputs).as_numpy(scores.name)
    _same(found.shape, (2, 1))
    for told, row in zip(found[:, 0], model.expected(tensor)[scores.name], strict=True):
        value, place, *_ = told.decode().split(":")
        _same((float(np.float32(value)), int(place)), (float(row.max()), int(row.argmax())))


def _several(client: Any, model: Model, compared: list[int], times: int) -> None:
    tensors = [model.tensor(1, seed) for seed in range(4 * times)]
    begun = [client.async_infer(model.name, _asked(model, tensor)) for tensor in tensors]
    for tensor, request in zip(tensors, begun, strict=True):
        _compare(request.get_result(), model, tensor, compared)


def _document(url: str) -> None:
    """The Python that the reference shows is a script of its own."""
    (shown,) = [example for example in examples.found(PAGE) if example.kind == "python"]
    photo = examples.ROOT / "examples/photos/coffee.png"
    text = shown.text.replace("127.0.0.1:8080", url.removeprefix("http://")).replace("photo.jpg", str(photo))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    _same(done.stdout, "(1, 1000) 967\n")


async def _aio(url: str, model: Model, compared: list[int]) -> None:
    async with aio.InferenceServerClient(url.removeprefix("http://")) as client:
        tensor = model.tensor(1, 3)
        _same(await client.is_server_ready(), True)
        _compare(await client.infer(model.name, _asked(model, tensor)), model, tensor, compared)


def _wrong(client: Any, model: Model) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    tensor, shape = model.tensor(1, 1), list(model.loaded.input.shape)

    def infer(name: str = model.name, inputs: list[Any] | None = None, **more: Any) -> Callable[[], Any]:
        return lambda: client.infer(name, inputs or _asked(model, tensor), **more)

    def made(name: str, data: Array, datatype: str, *, binary: bool = True) -> list[Any]:
        return [triton.InferInput(name, list(data.shape), datatype).set_data_from_numpy(data, binary_data=binary)]

    floats = np.full(shape, np.nan, np.float32)
    shared = triton.InferInput("image", shape, model.datatype).set_shared_memory("region", tensor.nbytes)
    output = triton.InferRequestedOutput("logits")
    takes = "efficientnet-lite0 takes the input 'image', UINT8 [n, 224, 224, 3] with n from 1 to 16"
    yield "model", "'mobilenet' is not a model of this function", infer("mobilenet")
    yield "metadata", "'mobilenet' is not a model", lambda: client.get_model_metadata("mobilenet")
    yield "version", "has no version '1'", infer(model_version="1")
    yield "input", f"The input's name is 'pixels'; {takes}", infer(inputs=made("pixels", tensor, "UINT8"))
    yield "datatype", f"The input's datatype is 'FP32'; {takes}", infer(inputs=made("image", floats, "FP32"))
    yield "NaN", "NaN is not JSON", infer(inputs=made("image", floats, "FP32", binary=False))
    yield "shape", f"The input's shape is [224, 224, 3]; {takes}", infer(inputs=made("image", tensor[0], "UINT8"))
    many = np.zeros((17, *shape[1:]), np.uint8)
    yield "batch", f"The input's shape is [17, 224, 224, 3]; {takes}", infer(inputs=made("image", many, "UINT8"))
    yield "output", "The output's name is 'logits'; efficientnet-lite0 gives 'Identity'", infer(outputs=[output])
    yield "shared memory", "shared_memory_region is not supported", infer(inputs=[shared])
    yield "compressed", "'gzip' is not accepted", infer(request_compression_algorithm="gzip")


def _refused(told: str, call: Callable[[], Any]) -> None:
    caught: Any = None
    try:
        call()
    except InferenceServerException as error:
        caught = error
    assert caught is not None, "it was not refused"
    assert told in caught.message(), f"{caught}, not {told}"
    assert str(caught.status()).startswith("4"), caught.status()


def _same(found: object, wanted: object) -> None:
    assert found == wanted, f"{found!r}, not {wanted!r}"
