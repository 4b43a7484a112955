"""Headers and parameters that several paths have, in the terms of OpenAPI 3.1."""

from typing import Any

from mlserverless.web.answers import ID_LENGTH

HEADERS: dict[str, Any] = {
    "X-Request-Id": {
        "description": "The caller's id where that can be repeated, else the platform's, else a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": rf"^[A-Za-z0-9\-_.:/=+]{{1,{ID_LENGTH}}}$"},
    },
    "Cache-Control": {"required": True, "schema": {"const": "no-store"}},
    "Cache-Control-Kept": {"required": True, "schema": {"const": "no-cache"}},
    "X-Content-Type-Options": {"required": True, "schema": {"const": "nosniff"}},
    "Server-Timing": {
        "description": "How long each stage took, in milliseconds (W3C Server Timing).",
        "schema": {"type": "string", "pattern": r"^\w+;dur=\d+\.\d(, \w+;dur=\d+\.\d)*$"},
    },
    "Retry-After": {
        "description": "With the problem `overloaded`: seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "ETag": {"required": True, "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'}},
    "Vary": {"required": True, "schema": {"type": "string"}},
}


def headers(*names: str, kept: bool = False) -> dict[str, Any]:
    """Return the headers that every answer has, and ``names``; ``kept``: of one that the caller may keep."""
    every = (
        "X-Request-Id",
        "Cache-Control",
        "X-Content-Type-Options",
        *(("ETag", "Vary") if kept else ()),
        *names,
    )
    found = {name: {"$ref": f"#/components/headers/{name}"} for name in every}
    return found | ({"Cache-Control": {"$ref": "#/components/headers/Cache-Control-Kept"}} if kept else {})


def parameters(options: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that several paths have: the options in a query, and the headers."""
    found = {
        name: {
            "name": name,
            "in": "query",
            "description": schema["description"],
            **({"style": "form", "explode": False} if schema["type"] == "array" else {}),
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in options.items()
    }
    told = {
        "X-Request-Id": f"What this request is to be called: up to {ID_LENGTH} letters, digits and -_.:/=+",
        "traceparent": "The trace that it belongs to (W3C Trace Context); the image's own host is told it, too.",
        "If-None-Match": "The ETag of the answer that the caller has.",
    }
    for name, about in told.items():
        found[name] = {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}
    return found


def given(*names: str) -> list[dict[str, Any]]:
    """Return references to the parameters ``names``."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]
