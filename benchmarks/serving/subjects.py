"""The servers that are measured, each as its own documentation says that it is started on two cores."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import venvs
from benchmarks.children import ROOT, SUBJECTS, model
from benchmarks.serving.server import HOST, Subject, free_port

CODE = SUBJECTS / "servers"
CACHE = ROOT / ".cache" / "bench"
OURS_CLASS = r'"index": ?(\d+)'  # the first of the predictions is the best


def raw(image: bytes) -> tuple[str, bytes]:
    """Return the image itself as a body."""
    return "image/jpeg", image


def base64_json(image: bytes) -> tuple[str, bytes]:
    """Return JSON with the image as base64, as in LitServe's guides; a form takes it a tenth longer (measured)."""
    return "application/json", json.dumps({"image_data": base64.b64encode(image).decode()}).encode()


def open_inference(image: bytes) -> tuple[str, bytes]:
    """Return a request of the Open Inference Protocol, version 2, which is what MLServer speaks."""
    tensor = {
        "name": "image",
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": [base64.b64encode(image).decode()],
    }
    return "application/json", json.dumps({"inputs": [tensor]}).encode()


def container() -> Subject:
    """Return the container's server, as its Dockerfile starts it."""
    folder = ROOT / "adapters" / "container"

    def command(port: int) -> list[str]:
        words = ["--no-control-socket", "--bind", f"{HOST}:{port}", "--threads", "8"]
        return [sys.executable, "-m", "gunicorn", *words, "app:application"]

    return Subject(
        *("mlserverless, gunicorn", command, _ours(), folder, "/predict", raw, OURS_CLASS),
        "the command of adapters/container/Dockerfile",
    )


def google() -> Subject:
    """Return our function for Google, in functions-framework as Google's buildpack starts it."""
    return Subject(
        "mlserverless, functions-framework",
        lambda port: _framework(Path(sys.executable), ROOT / "adapters" / "gcp" / "main.py", "predict", port),
        {**_ours(), "K_SERVICE": "predict", "FUNCTION_TARGET": "predict"},
        ROOT / "adapters" / "gcp",
        *("/predict", raw, OURS_CLASS),
        "adapters/gcp/main.py, the framework's own settings",
    )


def write_up() -> Subject:
    """Return functions-framework with one global interpreter, as the write-ups have it."""
    python = venvs.python("functions-framework", "3.11")
    return Subject(
        "write-up, functions-framework",
        lambda port: _framework(python, CODE / "write_up_function.py", "predict", port),
        _peer(),
        CODE,
        *("/", raw, OURS_CLASS),
        "one global interpreter, the framework's own settings",
    )


def bentoml() -> Subject:
    """Return BentoML with two workers."""
    python = venvs.python("bentoml", "3.11")
    home = CACHE / "bentoml"
    home.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        words = ["serve", "bentoml_service:Classifier", "--host", HOST, "--port", str(port)]
        return [str(python.with_name("bentoml")), *words]

    env = {**_peer(), "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    return Subject("BentoML", command, env, CODE, "/predict", raw, OURS_CLASS, "2 workers, 1 thread each")


def litserve(workers: int) -> Subject:
    """Return LitServe with ``workers`` workers."""
    python = venvs.python("litserve", "3.11")
    name = f"LitServe, {workers} worker{'s' if workers > 1 else ''}"

    def command(port: int) -> list[str]:
        return [str(python), str(CODE / "litserve_server.py"), HOST, str(port), str(workers)]

    return Subject(name, command, _peer(), CODE, "/predict", base64_json, OURS_CLASS, "an interpreter a worker")


def mlserver() -> Subject:
    """Return MLServer with two inference workers."""
    python = venvs.python("mlserver", "3.11")
    folder = CACHE / "mlserver"
    folder.mkdir(parents=True, exist_ok=True)
    described = {"name": "classifier", "implementation": "mlserver_model.Classifier"}
    (folder / "model-settings.json").write_text(json.dumps(described))

    def command(port: int) -> list[str]:
        ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
        kept = {"host": HOST, "parallel_workers": 2, "debug": False, "metrics_dir": str(folder), **ports}
        (folder / "settings.json").write_text(json.dumps(kept))
        return [str(python.with_name("mlserver")), "start", "."]

    path, pattern = "/v2/models/classifier/infer", r'"data": ?\[(\d+)'
    return Subject("MLServer", command, _peer(), folder, path, open_inference, pattern, "2 parallel workers")


OURS: tuple[Callable[[], Subject], ...] = (container, google)
PEERS: dict[str, Callable[[], Subject]] = {  # a name first: one that cannot be had is still named
    "write-up, functions-framework": write_up,
    "LitServe, 1 worker": lambda: litserve(1),
    "LitServe, 2 workers": lambda: litserve(2),
    "BentoML": bentoml,
    "MLServer": mlserver,
}


def _framework(python: Path, source: Path, target: str, port: int) -> list[str]:
    words = ["--source", str(source), "--target", target, "--host", HOST, "--port", str(port)]
    return [str(python), "-m", "functions_framework", *words]


def _ours() -> dict[str, str]:
    return {"MLSERVERLESS_MODEL": str(model())}


def _peer() -> dict[str, str]:
    return {"BENCH_MODEL": str(model() / "model.tflite"), "PYTHONPATH": str(CODE)}
