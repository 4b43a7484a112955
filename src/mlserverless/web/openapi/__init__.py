"""``GET /openapi.json``: this function in OpenAPI 3.1, from what reads its requests and makes its answers."""

from typing import Any

import mlserverless
from mlserverless.deadline import Deadline
from mlserverless.loading import Loaded
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web import caching
from mlserverless.web.answers import JSON, accepted, respond
from mlserverless.web.http import HttpRequest, HttpResponse
from mlserverless.web.openapi import headers, paths, problems, schemas

DESCRIPTION = """Predictions about images by a model on a serverless function.

Every path answers `OPTIONS` with the methods that it has, and `HEAD` where it answers `GET`. Problems are
`application/problem+json` (RFC 9457); the paths below `/v2` tell errors as the Open Inference Protocol does.
Whether a caller may ask is the platform's business: put its key or token into the header that it wants. JSON may
also be sent as `text/plain`, or under any type that ends in `+json`."""
TAGS = {
    "Predictions": "What the model says about images.",
    "Function": "The model, and whether the function lives.",
    "Open Inference Protocol": "The model's own tensors, as KServe and Triton speak of them.",
}


def answer(service: Service, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
    """Return the document, or 304 to who has it; raise a MlserverlessError where the model cannot be used."""
    accepted(request)
    predictor = service.predictor
    loaded = predictor.load(deadline.within(predictor.settings.timeout))
    return caching.tagged(request, respond(200, JSON, document(predictor, loaded), request_id))


def document(predictor: Predictor, loaded: Loaded) -> dict[str, Any]:
    """Return the description of a function with this ``predictor``, whose first model is ``loaded``.

    Of several models only the first is looked at; the others' answers may be of any task.
    """
    settings, names = predictor.settings, predictor.names
    tasks = (loaded.task,) if len(names) == 1 else tuple(schemas.TASKS)
    labels = loaded.model.labels if len(names) == 1 else ()
    options = schemas.options(names, labels, raw=tasks == ("raw",))
    tags = [{"name": name, "description": text} for name, text in TAGS.items()]
    return {
        "openapi": "3.1.1",
        "info": {
            "title": f"mlserverless: {names[0]}",
            "version": mlserverless.__version__,
            "summary": "Image models on serverless functions",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ".", "description": "This function, whatever stands before its paths"}],
        "tags": tags,
        "paths": paths.paths(settings, loaded, options),
        "components": {
            "schemas": {**schemas.answers(tasks, settings), **schemas.model(names), **problems.schemas()},
            "responses": paths.responses(),
            "headers": headers.HEADERS,
            "parameters": headers.parameters(options),
        },
    }
