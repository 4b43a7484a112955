"""What ``/model`` tells of a model: which it is, what it is fed, what it answers."""

from typing import Any

from mlserverless import certificate
from mlserverless.deadline import Deadline
from mlserverless.engines import Tensor
from mlserverless.loading import Loaded
from mlserverless.serving import Service
from mlserverless.web import body, caching
from mlserverless.web.answers import JSON, accepted, respond
from mlserverless.web.http import HttpRequest, HttpResponse

ROLES = {"classify": ("scores",), "detect": ("boxes", "classes", "scores", "count"), "raw": ()}


def answer(service: Service, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
    """Return the response to ``GET /model``; raise a MlserverlessError."""
    accepted(request)
    predictor = service.predictor
    described = model(predictor.named(body.chosen(request)).load(deadline.within(predictor.settings.timeout)))
    if predictor.settings.models:
        described["models"] = predictor.names
    return caching.tagged(request, respond(200, JSON, described, request_id))


def model(loaded: Loaded) -> dict[str, Any]:
    """Return the wire form of what ``loaded`` is; names of tensors are those that a raw answer has."""
    found, wants, said = loaded.model, loaded.model.input, loaded.model.output
    scale = wants.range if isinstance(wants.range, str) else {"mean": wants.range[0], "std": wants.range[1]}
    taken = {
        **_tensor(loaded.input),
        "layout": loaded.target.layout,
        "channels": loaded.target.channels,
        "resize": wants.resize,
        "resizer": wants.resizer,
        "fit": wants.fit,
        "crop": wants.crop,
        "range": scale or "raw",
    }
    taken |= {
        key: value
        for key in ("side", "antialias", "preset")
        if (value := getattr(wants, key)) not in ("", 0, None)
    }
    described: dict[str, Any] = {"name": found.name, "sha256": found.sha256, "task": loaded.task}
    described |= (
        {"engine": loaded.engine, "signature": found.signature} if found.signature else {"engine": loaded.engine}
    )
    described |= {"input": taken, "outputs": [_tensor(tensor) for tensor in loaded.outputs]}
    roles = zip(ROLES[loaded.task], loaded.places, strict=False)
    named = {role: loaded.outputs[place].known_as for role, place in roles}
    if loaded.task != "raw":
        described |= {"output": {**named, "activation": said.activation, "offset": said.offset}}
    if loaded.task == "classify":
        described["output"] |= {"shape": loaded.output.shape, "dtype": loaded.output.dtype}
    described["labels"] = found.labels
    if found.certificate:
        described["certified"] = not certificate.stale(found)
        described["certificate"] = dict(found.certificate)
    return described


def _tensor(tensor: Tensor) -> dict[str, Any]:
    told: dict[str, Any] = {"name": tensor.known_as, "shape": tensor.shape, "dtype": tensor.dtype}
    if tensor.scale:
        told["quantization"] = {"scale": tensor.scale, "zero_point": tensor.zero_point}
    return told
