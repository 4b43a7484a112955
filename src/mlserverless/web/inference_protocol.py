"""The Open Inference Protocol (KServe's V2, as Triton speaks it), over HTTP: ``/v2`` and the paths below it.

Health, metadata, and inference with the model's own tensors: nothing is done to them before the model, nothing to
its outputs after it. Errors are told as ``{"error": "…"}``, which is the protocol's own form. With Triton's
extensions for binary tensors and for classification.
"""

from typing import Any

import mlserverless
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest, MethodNotAllowed, NotFound
from mlserverless.predictor import Predictor
from mlserverless.readers import shown
from mlserverless.serving import Service, problem
from mlserverless.web.answers import ANYTHING, JSON, respond
from mlserverless.web.http import HttpRequest, HttpResponse
from mlserverless.web.inference import reading, running, telling
from mlserverless.web.inference.asking import DOCS
from mlserverless.web.inference.served import Served, metadata, served

EXTENSIONS = ("binary_tensor_data", "classification")
PATHS = (
    "/v2, /v2/health/live, /v2/health/ready, /v2/models/NAME, /v2/models/NAME/ready and /v2/models/NAME/infer, "
    "the last three also with /versions/VERSION behind the NAME"
)


def methods(path: str) -> tuple[str, ...]:
    """Return the methods that are answered at ``path``; raise NotFound where nothing is there."""
    return ("POST",) if _parts(path.rstrip("/"))[2] == "infer" else ("GET",)


def answer(service: Service, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
    """Return the response to ``request`` for ``/v2`` or a path below it; it never raises."""
    try:
        return _answer(service, request, request_id, deadline)
    except Exception as error:  # noqa: BLE001 - the boundary: a caller always gets the protocol's own error
        told = problem(error, request_id)
        response = respond(told.status, JSON, {"error": told.detail}, request_id, told.headers)
        return response._replace(results=(told,))


def _answer(service: Service, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
    path = request.path.rstrip("/")
    if request.method not in (allowed := methods(path)):
        raise MethodNotAllowed(f"{request.method:.20} is not answered at this path; {allowed[0]} is.", allowed)
    if (accept := request.headers.get("accept", "")) not in ANYTHING:
        from mlserverless.web import negotiation  # few clients of this protocol send one

        negotiation.check(accept, (JSON, telling.OCTETS))
    name, version, verb = _parts(path)
    if not name:
        return respond(200, JSON, _of_server(path, service, deadline), request_id)
    deadline = deadline.within(service.predictor.settings.timeout)
    predictor = _named(service.predictor, name, deadline)
    found = served(name, predictor.load(deadline), predictor.settings.max_batch)
    if version is not None and not found.is_version(version):
        raise NotFound(
            f"{name} has no version {shown(version)}; it is {found.version}, as /v2/models/{name} tells."
        )
    if verb == "infer":
        return _infer(found, request, request_id, deadline, predictor)
    told: dict[str, Any] = {"name": name, "ready": True} if verb == "ready" else metadata(found)
    return respond(200, JSON, told, request_id)


def _infer(
    found: Served, request: HttpRequest, request_id: str, deadline: Deadline, predictor: Predictor
) -> HttpResponse:
    asked = reading.read(request, found, predictor.settings.max_bytes)
    ran = running.run(found, asked, deadline, predictor.settings.queue)
    return telling.respond_ran(found, asked, ran, request_id)


def _of_server(path: str, service: Service, deadline: Deadline) -> dict[str, Any]:
    if path == "/v2":
        return {"name": "mlserverless", "version": mlserverless.__version__, "extensions": EXTENSIONS}
    if path == "/v2/health/live":
        return {"live": True}
    predictor = service.predictor
    for name in predictor.names:  # "if all the models are ready for inferencing"
        predictor.named(name).load(deadline.within(predictor.settings.timeout))
    return {"live": True, "ready": True}


def _parts(path: str) -> tuple[str, str | None, str]:
    """Return the model's name, "" for the server's own paths, the version, if any, and infer, ready or ""."""
    if path in ("/v2", "/v2/health/live", "/v2/health/ready"):
        return "", None, ""
    name, found, verb = path.removeprefix("/v2/models/"), None, ""
    if name == path or not name:
        raise NotFound(f"There is nothing at this path; there is at {PATHS}. See {DOCS}.")
    if name.endswith(("/infer", "/ready")):
        name, _, verb = name.rpartition("/")
    before, versions, version = name.rpartition("/versions/")
    if versions:
        name, found = before, version
    return name, found, verb


def _named(predictor: Predictor, name: str, deadline: Deadline) -> Predictor:
    try:
        return predictor.named(name)
    except InvalidRequest as error:
        # A model at a URL is called as its folder's model.toml has it, too, once that is known.
        if name == predictor.load(deadline).model.name:
            return predictor
        raise NotFound(str(error)) from error
