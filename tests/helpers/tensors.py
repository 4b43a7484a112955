"""Requests of the Open Inference Protocol, and services to answer them."""

import json
from pathlib import Path
from typing import Any

from helpers.fakes import folder
from helpers.web import ask, headers
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web.http import HttpResponse
from mlserverless.web.inference.served import Served, served

INFER = "/v2/models/fake/infer"
PIXELS = list(range(12))  # of a fake engine's image, (1, 2, 2, 3) of uint8


def service(path: Path, toml: str = 'labels = "labels.txt"', **settings: Any) -> Service:
    """Return a service of the fake engine's model, which is called fake."""
    made = Predictor(str(folder(path, f'name = "fake"\n{toml}')), **{"concurrency": 1, "threads": 1, **settings})
    return Service(lambda: made, write=lambda _: None)


def model(path: Path, toml: str = 'labels = "labels.txt"', most: int = 16) -> Served:
    """Return the fake engine's model as it is served."""
    return served("fake", service(path, toml).predictor.load(), most)


def request(data: Any = PIXELS, shape: Any = (1, 2, 2, 3), /, **more: Any) -> dict[str, Any]:
    """Return an inference request object of one input, and ``more`` members; the input's own begin with in_."""
    named = {name.removeprefix("in_"): value for name, value in more.items() if name.startswith("in_")}
    tensor = {"name": "image", "datatype": "UINT8", "shape": [*shape], "data": data, **named}
    rest = {name: value for name, value in more.items() if not name.startswith("in_")}
    return {"inputs": [{name: value for name, value in tensor.items() if value is not ...}], **rest}


def infer(service: Service, value: Any, behind: bytes = b"", path: str = INFER) -> HttpResponse:
    """Return the response to a request object, with bytes behind its JSON."""
    body = json.dumps(value).encode()
    given = {"inference-header-content-length": str(len(body))} if behind else {}
    return ask(service, "POST", path, "", given, body + behind)


def error(response: HttpResponse) -> str:
    """Return the error in ``response``, checked for what every one holds."""
    assert response.status >= 400
    assert headers(response)["Content-Type"] == "application/json"
    told = json.loads(response.body)
    assert list(told) == ["error"]
    return str(told["error"])
