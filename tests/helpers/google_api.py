"""Google's APIs, played for gcloud on loopback: they know nothing yet, accept what is asked for, and remember it.

gcloud reaches them as through an HTTP proxy, so that whatever name it asks, nothing leaves this machine.
"""

import json
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

APIS = (
    *("cloudfunctions", "storage", "run", "cloudresourcemanager", "iam", "serviceusage", "eventarc", "pubsub"),
    *("cloudbuild", "artifactregistry"),
)
PROJECT, NUMBER = "a-project", "123"
READY = [{"type": kind, "status": "True"} for kind in ("Ready", "ConfigurationsReady", "RoutesReady")]
DONE: dict[str, Any] = {"name": f"projects/{PROJECT}/locations/europe-west1/operations/one", "done": True}
KIND = "type.googleapis.com/google.cloud.functions.v2.OperationMetadata"
DONE |= {"metadata": {"@type": KIND, "stages": []}, "response": {"@type": "type.googleapis.com/empty"}}
PYTHON = {"name": "python313", "environment": "GEN_2", "stage": "GA", "displayName": "Python 3.13"}


class Asked(NamedTuple):
    """One request; ``body`` is its JSON, None where it has none."""

    method: str
    path: str
    body: Any


NOTHING = (404, {"error": {"code": 404, "message": "There is none.", "status": "NOT_FOUND"}})


def _service(asked: Asked) -> Any:
    """Return a service as it was asked for, ready."""
    status = {"observedGeneration": 1, "conditions": READY, "url": "https://classify.test"}
    return {**asked.body, "metadata": {**asked.body["metadata"], "generation": 1}, "status": status}


Answer = Callable[[Asked], Any]
# The first whose method and part of the path fit answers; None stands for every method.
ANSWERS: list[tuple[str | None, str, Answer]] = [
    (None, ":generateUploadUrl", lambda _: {"uploadUrl": "http://upload.test/upload", "storageSource": {}}),
    (None, "/upload", lambda _: {}),
    ("POST", "/functions", lambda _: DONE),
    ("GET", f"/projects/{PROJECT}/services/", lambda _: {"state": "ENABLED"}),
    (
        "GET",
        "/defaultServiceAccount",
        lambda _: {"serviceAccountEmail": f"projects/{PROJECT}/serviceAccounts/build"},
    ),
    ("GET", "/operations/", lambda _: DONE),
    ("GET", "/runtimes", lambda _: {"runtimes": [PYTHON]}),
    (None, ":getIamPolicy", lambda _: {"bindings": [], "etag": "BwWWja0YfJA="}),
    (None, ":setIamPolicy", lambda asked: asked.body["policy"]),
    ("POST", "/services", _service),
    ("GET", "/b/", lambda asked: {"name": asked.path.rsplit("/", 1)[-1], "location": "EUROPE-WEST1"}),
]


class GoogleApi:
    """The server; a context manager. ``asked`` is what it was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, told = api.answer(Asked(self.command, urlsplit(self.path).path, _json(data)))
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "GoogleApi":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Remember a request; return its status and answer."""
        self.asked.append(asked)
        if (
            asked.method == "GET" and "/services/" in asked.path
        ):  # gcloud looks until a service that it made is there
            made = [one for one in self.asked if one.method == "POST" and asked.path.startswith(one.path)]
            return (200, _service(made[-1])) if made else NOTHING
        if asked.method == "GET" and "/functions/" in asked.path:
            made = [one for one in self.asked if one.method == "POST" and one.path.endswith("/functions")]
            return (200, {**made[-1].body, "state": "ACTIVE", "environment": "GEN_2"}) if made else NOTHING
        for method, part, answer in ANSWERS:
            if method in (None, asked.method) and part in asked.path:
                return 200, answer(asked)
        if asked.path.rstrip("/").endswith(f"/projects/{PROJECT}"):
            return 200, {"projectId": PROJECT, "projectNumber": NUMBER}
        return NOTHING

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment that makes gcloud ask here, with ``home`` as its settings' folder."""
        settings = {
            "CONFIG": str(home / "settings"),
            "CORE_PROJECT": PROJECT,
            "CORE_DISABLE_PROMPTS": "1",
            "CORE_DISABLE_USAGE_REPORTING": "true",
            "CORE_CHECK_GCE_METADATA": "false",
            "SURVEY_DISABLE_PROMPTS": "1",
            "COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
            "PROXY_TYPE": "http",
            "PROXY_ADDRESS": "127.0.0.1",
            "PROXY_PORT": str(self._server.server_address[1]),
            **{f"API_ENDPOINT_OVERRIDES_{name.upper()}": f"http://{name}.test/" for name in APIS},
        }
        told = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {**told, "HOME": str(home), **{f"CLOUDSDK_{name}": value for name, value in settings.items()}}

    def token(self, home: Path) -> Path:
        """Return a file with a token, which nobody looks at."""
        path = home / "token"
        path.write_text("none", encoding="utf-8")
        return path


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None
