"""The paths in the terms of OpenAPI 3.1: what may be sent, which answers there are, which problems may come."""

from importlib import import_module
from typing import Any

from mlserverless import errors
from mlserverless.config import Settings
from mlserverless.loading import Loaded
from mlserverless.web.answers import HTML, JSON
from mlserverless.web.openapi import problems
from mlserverless.web.openapi.headers import given, headers
from mlserverless.web.openapi.schemas import closed, ref

URL = "https://example.com/cat.jpg"
ALWAYS = (errors.NotAcceptable, errors.InternalError)
LOADED = (*ALWAYS, errors.ConfigError, errors.ModelUnavailable, errors.DeadlineExceeded)
DESCRIBING = (*LOADED, errors.InvalidRequest)
# A request ends in none of these: they are an event's, another path's, another method's.
OTHERS = (errors.SinkError, errors.NotFound, errors.MethodNotAllowed)
BODIES = (errors.ImageTooLarge, errors.UnsupportedMediaType)
# Modules beside the web app -> the module that describes their paths with ``paths(settings, loaded)``.
DESCRIBED = ("inference_described",)


def predicting() -> list[type[errors.MlserverlessError]]:
    """Return every problem that a prediction may end in."""
    return [kind for kind in problems.kinds() if kind not in OTHERS]


def responses() -> dict[str, Any]:
    """Return the responses that several paths have."""
    return problems.shared(predicting(), ALWAYS, LOADED, DESCRIBING, (errors.NotFound,), headers=headers())


def paths(settings: Settings, loaded: Loaded, options: dict[str, Any]) -> dict[str, Any]:
    """Return path -> path item of every path that this function answers."""
    kinds = predicting()
    made = _example(loaded)
    found: dict[str, Any] = {}
    for path, suffix in (("/predict", ""), ("/", "AtRoot")):
        about = "" if path == "/predict" else "The same as at `/predict`."
        get = _operation(
            f"predictUrl{suffix}",
            "Predict about the image at a URL",
            "Predictions",
            about,
            _predicted("Prediction", made),
            kinds,
        )
        get["parameters"] = [_url(), *given(*options, "X-Request-Id", "traceparent")]
        post = _operation(
            f"predict{suffix}",
            "Predict about an image, or about several at URLs",
            "Predictions",
            about,
            _predicted("Answer", made),
            kinds,
        )
        post["parameters"] = given(*options, "X-Request-Id", "traceparent")
        post["requestBody"] = _body(settings, options)
        found[path] = {"get": get, "post": post}
    if settings.page:
        found["/"]["get"]["responses"]["200"]["content"][HTML] = {"schema": {"type": "string"}}
        found["/"]["get"]["description"] = "The same as at `/predict`; to a browser, without a query, a page."
    found |= _function(options)
    if "prometheus" in settings.telemetry:
        found["/metrics"] = {"get": _metrics()}
    for name in DESCRIBED:
        found |= import_module(f"mlserverless.web.{name}").paths(settings, loaded)
    return found


def _operation(
    name: str, summary: str, tag: str, about: str, answers: dict[str, Any], able: Any
) -> dict[str, Any]:
    made = {"operationId": name, "summary": summary, "tags": [tag], **({"description": about} if about else {})}
    return made | {"responses": answers | problems.responses(*able)}


def _predicted(schema: str, example: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"one": {"value": example}}
    if schema == "Answer":
        told["several"] = {"value": {"results": [example]}}
    content = {JSON: {"schema": ref(schema), "examples": told}}
    return {"200": {"description": "The answer", "headers": headers("Server-Timing"), "content": content}}


def _url() -> dict[str, Any]:
    about = "Where the image is: an http, https, s3, gs or az URL that this function may read."
    schema = {"type": "string", "minLength": 1, "format": "uri"}
    return {"name": "url", "in": "query", "required": True, "description": about, "schema": schema, "example": URL}


def _body(settings: Settings, options: dict[str, Any]) -> dict[str, Any]:
    nullable = {name: _or_null(schema) for name, schema in options.items()}
    url = {"type": "string", "minLength": 1, "format": "uri", "examples": [URL]}
    each = {"description": "A URL. What is none is answered with a problem in its place.", "examples": [URL]}
    urls = {"type": "array", "minItems": 1, "maxItems": settings.max_batch, "items": each}
    one = closed({"url": url, **nullable}, tuple(options), title="One image")
    several = closed({"urls": urls, **nullable}, tuple(options), title="Several images")
    told = f"The image itself, of up to {settings.max_bytes:,} bytes, of whichever of these formats."
    octets = {"description": told}
    form = closed({"file": {"type": "string", "format": "binary", **octets}, **options}, tuple(options))
    examples = {"one": {"value": {"url": URL}}, "several": {"value": {"urls": [URL, URL]}}}
    image = {"schema": {"type": "string", "format": "binary", **octets}}
    return {
        "required": True,
        "description": f"At most {settings.max_bytes:,} bytes. An option stands in the body or in the query.",
        "content": {
            JSON: {"schema": {"oneOf": [one, several]}, "examples": examples},
            **{f"image/{name}": image for name in settings.formats},
            "application/octet-stream": image,
            "multipart/form-data": {
                "schema": form,
                "encoding": {"file": {"contentType": ", ".join(f"image/{name}" for name in settings.formats)}},
            },
        },
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    # In JSON a list of labels may also be a text with commas between, and null is as if it were left out.
    kind, about = schema["type"], {"description": schema["description"]}
    rest = {key: value for key, value in schema.items() if key != "description"}
    return {"anyOf": [rest, *([{"type": "string"}] if kind == "array" else []), {"type": "null"}], **about}


def _example(loaded: Loaded) -> dict[str, Any]:
    told = {"model": loaded.model.name, "sha256": loaded.model.sha256}
    label = next(iter(loaded.model.labels), "")
    scored: dict[str, Any] = {"label": label, "index": 0, "score": 0.949219}
    if loaded.task == "classify":
        return told | {"predictions": [scored]}
    if loaded.task == "detect":
        box = {"top": 0.125, "left": 0.0625, "bottom": 0.75, "right": 0.5}
        return told | {"detections": [scored | {"box": box}]}
    return told | {"outputs": [{"name": "mask", "shape": [1, 2, 2], "datatype": "INT64", "data": [0, 0, 3, 3]}]}


def _function(options: dict[str, Any]) -> dict[str, Any]:
    kept = {"304": {"description": "The caller has it.", "headers": _kept_nothing()}}

    def get(name: str, summary: str, schema: dict[str, Any], able: Any, *, keeps: bool = False) -> dict[str, Any]:
        answer = {
            "description": "It is so.",
            "headers": headers(kept=keeps),
            "content": {JSON: {"schema": schema}},
        }
        made = _operation(name, summary, "Function", "", {"200": answer, **(kept if keeps else {})}, able)
        made["parameters"] = given("X-Request-Id", *(("If-None-Match",) if keeps else ()))
        return {"get": made}

    described = {"type": "object", "required": ["openapi", "info", "paths"]}
    found = {
        "/healthz": get("live", "The process lives", ref("Status"), ALWAYS),
        "/readyz": get("ready", "The model is loaded", ref("Status"), LOADED),
        "/model": get("describeModel", "What the model is", ref("Model"), DESCRIBING, keeps=True),
        "/openapi.json": get("describeFunction", "This document", described, LOADED, keeps=True),
    }
    found["/model"]["get"]["parameters"] += given("model") if "model" in options else []
    return found


def _kept_nothing() -> dict[str, Any]:
    return {name: value for name, value in headers(kept=True).items() if name != "X-Content-Type-Options"}


def _metrics() -> dict[str, Any]:
    content = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")}
    made = _operation("metrics", "What Prometheus scrapes", "Function", "In a container only.", {}, ())
    missing = problems.responses(errors.NotFound)
    return made | {"responses": {"200": {"description": "The metrics", "content": content}, **missing}}
