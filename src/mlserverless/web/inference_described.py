"""The Open Inference Protocol's paths in the terms of OpenAPI 3.1, for the document that describes all paths."""

from typing import Any

from mlserverless import naming
from mlserverless.config import Settings
from mlserverless.loading import Loaded
from mlserverless.tasks.raw import DATATYPES
from mlserverless.web.inference.served import metadata, served

TEXT: dict[str, Any] = {"type": "string"}
TRUE: dict[str, Any] = {"type": "boolean", "const": True}
LENGTH = "Inference-Header-Content-Length"
OCTETS: dict[str, Any] = {"type": "string", "format": "binary"}
ELEMENT: dict[str, Any] = {"type": ["number", "boolean", "string"]}
ERRORS = {
    "400": "The request does not fit the model; error says what is accepted.",
    "404": "There is no such model, version or path.",
    "405": "The method is another one.",
    "413": "The body is too large.",
    "415": "The body is of another type.",
    "500": "The function is misconfigured, or failed.",
    "503": "The model cannot be used, or the function is busy.",
    "504": "The time is over.",
}


def paths(settings: Settings, loaded: Loaded) -> dict[str, Any]:
    """Return path -> path item; the tensors are those of ``loaded``, the first model, where it is the only one."""
    names = list(naming.names(settings))
    found = served(names[0], loaded, settings.max_batch)
    version = [found.version] if len(names) == 1 else None
    told: dict[str, Any] = {
        "/v2": _get("serverMetadata", "The server and its extensions", _server()),
        "/v2/health/live": _get("serverLive", "The server lives", _object(live=TRUE), ("405",)),
        "/v2/health/ready": _get("serverReady", "All models are loaded", _object(live=TRUE, ready=TRUE)),
    }
    for versioned in (False, True):
        at = "/v2/models/{model_name}" + "/versions/{model_version}" * versioned
        suffix = "Version" * versioned
        parameters = [_parameter("model_name", names), *([_parameter("model_version", version)] * versioned)]
        ready = _object(name={"enum": names}, ready=TRUE)
        described = _get(f"modelMetadata{suffix}", "A model and its tensors", _metadata(names))
        if len(names) == 1:
            described["get"]["responses"]["200"]["content"]["application/json"]["example"] = metadata(found)
        told |= {
            at: described | {"parameters": parameters},
            f"{at}/ready": _get(f"modelReady{suffix}", "A model is loaded", ready) | {"parameters": parameters},
            f"{at}/infer": {
                "post": {
                    "operationId": f"modelInfer{suffix}",
                    "summary": "Run a model on its own tensors",
                    "tags": ["Open Inference Protocol"],
                    "requestBody": _body(_request(found if len(names) == 1 else None)),
                    "responses": {"200": _inferred(names), **_errors(tuple(ERRORS))},
                },
                "parameters": [
                    *parameters,
                    {
                        "name": LENGTH,
                        "in": "header",
                        "description": "How long the JSON is, where binary tensors follow it; 0: the body is the "
                        "one input.",
                        "schema": {"type": "integer", "minimum": 0},
                    },
                ],
            },
        }
    return told


def _get(operation: str, summary: str, schema: dict[str, Any], errors: tuple[str, ...] = ()) -> dict[str, Any]:
    able = errors or ("404", "405", "500", "503", "504")
    answered = {"200": {"description": "It is so.", "content": {"application/json": {"schema": schema}}}}
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "tags": ["Open Inference Protocol"],
            "responses": answered | _errors(able),
        }
    }


def _errors(statuses: tuple[str, ...]) -> dict[str, Any]:
    content = {"application/json": {"schema": _object(error=TEXT)}}
    return {status: {"description": ERRORS[status], "content": content} for status in statuses}


def _object(optional: tuple[str, ...] = (), /, **properties: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def _parameter(name: str, accepted: list[str] | None) -> dict[str, Any]:
    schema = {"type": "string", "enum": accepted} if accepted else TEXT
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _server() -> dict[str, Any]:
    return _object(name=TEXT, version=TEXT, extensions=_list(TEXT))


def _metadata(names: list[str]) -> dict[str, Any]:
    shape = _list({"type": "integer", "minimum": -1})
    tensor = _object(name=TEXT, datatype={"enum": list(DATATYPES.values())}, shape=shape)
    tensors = {"inputs": _list(tensor), "outputs": _list(tensor)}
    return _object(name={"enum": names}, versions=_list(TEXT), platform=TEXT, **tensors)


def _request(found: Any) -> dict[str, Any]:
    name: dict[str, Any] = TEXT
    wanted: dict[str, Any] = TEXT
    datatype: dict[str, Any] = {"enum": list(DATATYPES.values())}
    shape, data = _list({"type": "integer"}), _list({})
    if found:
        tensor, size = found.loaded.input, found.elements
        name, datatype = {"const": tensor.known_as}, {"const": DATATYPES[tensor.dtype]}
        first = (
            {"type": "integer", "minimum": 1, "maximum": found.most}
            if found.most > 1
            else {"const": tensor.shape[0]}
        )
        prefix = [first, *({"const": size} for size in tensor.shape[1:])]
        shape = {"type": "array", "prefixItems": prefix, "minItems": len(prefix), "maxItems": len(prefix)}
        data = _list({}, description=f"{size:,} elements for each run, flat or nested as the shape says")
        wanted = {"enum": [tensor.known_as for _, tensor in found.outputs]}
    parameters = {"type": "object", "properties": {"binary_data_size": {"type": "integer", "minimum": 0}}}
    tensors = _object(
        ("parameters", "data"), name=name, datatype=datatype, shape=shape, parameters=parameters, data=data
    )
    how = {"binary_data": {"type": "boolean"}, "classification": {"type": "integer", "minimum": 0}}
    output = _object(("parameters",), name=wanted, parameters={"type": "object", "properties": how})
    every = {"type": "object", "properties": {"binary_data_output": {"type": "boolean"}}}
    inputs = _list(tensors, minItems=1, maxItems=1)
    return _object(
        ("id", "parameters", "outputs"), id=TEXT, parameters=every, inputs=inputs, outputs=_list(output)
    )


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}, "application/octet-stream": {"schema": OCTETS}}
    return {"required": True, "content": content}


def _inferred(names: list[str]) -> dict[str, Any]:
    shape, datatypes = _list({"type": "integer", "minimum": 0}), [*DATATYPES.values(), "BYTES"]
    parts = {"shape": shape, "parameters": {"type": "object"}, "data": _list(ELEMENT)}
    output = _object(("parameters", "data"), name=TEXT, datatype={"enum": datatypes}, **parts)
    answer = {"model_name": {"enum": names}, "model_version": TEXT, "id": TEXT, "outputs": _list(output)}
    content = {
        "application/json": {"schema": _object(("id",), **answer)},
        "application/octet-stream": {"schema": OCTETS},
    }
    header = {"description": "How long the JSON is, before binary tensors", "schema": {"type": "integer"}}
    return {"description": "The outputs", "content": content, "headers": {LENGTH: header}}
