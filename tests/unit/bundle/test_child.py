"""The process that asks a package: its doors, one a provider, each with a small entry module of its own."""

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlserverless.bundle import child

BODY = b"\x00\xffbody"
AWS = """
import base64
def handler(event, context):
    if "version" not in event:
        return {"left": context.get_remaining_time_in_millis(), "id": context.aws_request_id, "got": event}
    http = event["requestContext"]["http"]
    said = [http["method"], event["rawPath"], event["rawQueryString"], event["headers"]["x-a"], event["body"]]
    if event["rawPath"] == "/raise":
        raise KeyError("no such")
    if event["rawPath"] == "/bytes":
        body = base64.b64decode(event["body"])
        return {"statusCode": 200, "headers": {}, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    headers = {"X-B": "b", "Server-Timing": "x;dur=1", "A": "a"}
    return {"statusCode": 201, "headers": headers, "body": "|".join(said)}
"""
AZURE = """
import azure.functions as func
app = func.FunctionApp()

@app.function_name("predict")
@app.route(route="{*path}")
def predict(request: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    said = [request.method, request.url, request.route_params["path"], request.headers["X-A"]]
    said += [context.invocation_id]
    return func.HttpResponse("|".join(said).encode() + request.get_body(), status_code=201, headers={"X-B": "b"})

@app.function_name("image_created")
@app.blob_trigger(arg_name="blob", path="images/{name}", connection="C")
def image_created(blob: func.InputStream, context: func.Context) -> str:
    return f"{blob.name} {blob.uri} {blob.length} {blob.read()!r} {context.invocation_id}"
"""
WSGI = """
def application(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise RuntimeError("no such")
    said = [environ[n] for n in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH")]
    said += [environ.get("CONTENT_TYPE", "none"), environ.get("HTTP_X_A", "none")]
    start_response("201 Created", [("X-B", "b")])
    return ["|".join(said).encode(), environ["wsgi.input"].read()]
"""
GCP = """
import flask

def _answer(name):
    def function(request):
        assert request is flask.request
        def answer(environ, start_response):
            start_response({"predict": "200 OK", "event": "202 A", "scheduled": "204 N"}[name], [("X-B", name)])
            return [name.encode(), environ["wsgi.input"].read()]
        return answer
    return function

predict, event, scheduled = _answer("predict"), _answer("event"), _answer("scheduled")
"""


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write an entry module, which is forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        (tmp_path / "entry_of_child.py").write_text(source)
        return "entry_of_child"

    yield write
    sys.modules.pop("entry_of_child", None)


def test_lambda_is_asked_as_a_function_url_asks_it(entry: Callable[[str], str]) -> None:
    door = child.Lambda(entry(AWS))
    status, headers, body = door.http("POST", "/p", "a=1", {"x-a": "yes"}, BODY)
    assert (status, dict(headers)["X-B"]) == (201, "b")
    assert body.decode() == f"POST|/p|a=1|yes|{base64.b64encode(BODY).decode()}"
    assert door.http("GET", "/bytes", "", {"x-a": ""}, BODY) == (200, [], BODY)
    assert door.event({"Records": []}) == {"left": 60_000, "id": child.ID, "got": {"Records": []}}


def test_azures_functions_are_called_with_their_own_types(entry: Callable[[str], str]) -> None:
    door = child.Azure(entry(AZURE))
    status, headers, body = door.http("POST", "/predict", "a=1", {"x-a": "yes"}, BODY)
    assert (status, dict(headers)["X-B"]) == (201, "b")
    assert body == f"POST|http://localhost/predict?a=1|predict|yes|{child.ID}".encode() + BODY
    assert door.http("GET", "/", "", {"x-a": ""}, b"")[2].startswith(b"GET|http://localhost/||")
    event = {"name": "a.jpg", "uri": "http://x/a.jpg", "body": base64.b64encode(BODY).decode()}
    assert door.event(event) == f"a.jpg http://x/a.jpg {len(BODY)} {BODY!r} {child.ID}"


def test_a_wsgi_callable_is_asked_by_pep_3333(entry: Callable[[str], str]) -> None:
    door = child.Wsgi(entry(WSGI))
    status, headers, body = door.http("PUT", "/p", "a=1", {"content-type": "image/png", "x-a": "yes"}, BODY)
    assert (status, headers, body) == (201, [("X-B", "b")], b"PUT|/p|a=1|6|image/png|yes" + BODY)
    assert door.event({"path": "/events", "headers": {"x-a": "e"}, "body": {"b": 2}}) == 201


def test_googles_functions_get_flasks_request_by_path(entry: Callable[[str], str]) -> None:
    door = child.Google(entry(GCP))
    assert door.http("POST", "/predict", "", {}, BODY) == (200, [("X-B", "predict")], b"predict" + BODY)
    assert [door.event({"path": path, "body": {}}) for path in ("/event", "/schedule", "/other")] == [
        202,
        204,
        200,
    ]


def request(path: str) -> dict[str, Any]:
    body = base64.b64encode(BODY).decode()
    return {"method": "POST", "path": path, "query": "q=1", "headers": {"x-a": "yes"}, "body": body}


def asked(folder: Path, provider: str, entry: str, paths: list[str], events: list[Any]) -> str:
    return json.dumps(
        {
            "paths": [str(folder)],
            "folder": str(folder),
            "provider": provider,
            "entry": entry,
            "requests": [request(path) for path in paths],
            "events": events,
        }
    )


def test_it_answers_what_it_is_asked_and_tells_what_was_used(
    tmp_path: Path, entry: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, hooks = entry(AWS), list[Callable[..., None]]()
    monkeypatch.setattr(
        sys, "stdin", io.StringIO(asked(tmp_path, "aws", name, ["/p", "/raise", "/bytes"], [{}, 5]))
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "addaudithook", hooks.append)  # a true one would stay for all other tests
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    out = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    monkeypatch.setattr(os, "dup", lambda number: out)
    redirected: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "dup2", lambda *numbers: redirected.append(numbers))
    child.main()
    told = json.loads((tmp_path / "out").read_text())
    assert redirected == [(2, 1)], "what the package prints does not mix with the answers"
    assert sys.path[0] == str(tmp_path)
    good, raised, coded = told["answers"]
    assert good["status"] == 201
    assert good["headers"] == [["a", "a"], ["x-b", "b"]], "sorted, in lower case, without how long it took"
    assert base64.b64decode(good["body"]).startswith(b"POST|/p|q=1|yes|")
    assert raised == {"raised": "KeyError: 'no such'"}
    assert base64.b64decode(coded["body"]) == BODY
    assert told["events"][0]["reply"]["got"] == {}
    assert told["events"][1]["raised"].startswith("TypeError: ")
    assert str(tmp_path / "entry_of_child.py") in told["used"]
    assert told["used"] == sorted(told["used"])
    assert told["seconds"] > 0
    assert len(hooks) == 1
    hooks[0]("open", (str(tmp_path / "later"), "r", 0))


def test_in_a_process_of_its_own_what_was_opened_or_loaded_is_told(tmp_path: Path) -> None:
    (tmp_path / "data.txt").touch()
    (tmp_path / "never.txt").touch()
    (tmp_path / "app.py").write_text(
        "import ctypes, sys\n"
        "print('a line of its log')\n"
        "open('data.txt').close()\n"
        "try:\n    ctypes.CDLL('./lib.so')\nexcept OSError:\n    pass\n"
        "handler = lambda event, context: [name for name in sys.modules if name.startswith('mlserverless')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", child.__file__],
        input=asked(tmp_path, "aws", "app", [], [{}]),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert "a line of its log" in done.stderr
    assert {str(tmp_path / name) for name in ("app.py", "data.txt", "lib.so")} <= set(told["used"])
    assert str(tmp_path / "never.txt") not in told["used"]
    assert told["events"] == [{"reply": []}], "nothing of this project is there but what the package brings"
    assert 1_000_000 < told["peak"] < 1_000_000_000


def test_only_names_of_files_are_noted() -> None:
    seen: set[str] = set()
    child._note("open", ("a/../b.txt", "r", 0), seen)
    child._note("ctypes.dlopen", ("/lib.so",), seen)
    for event, arguments in (("open", (5, "r", 0)), ("open", ()), ("import", ("x",)), ("ctypes.dlopen", (None,))):
        child._note(event, arguments, seen)
    assert seen == {os.path.abspath("b.txt"), "/lib.so"}


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_where_there_is_no_proc_the_system_tells_the_peak_in_its_own_unit(
    monkeypatch: pytest.MonkeyPatch, system: str, unit: int
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    class Usage:
        ru_maxrss = 7

    monkeypatch.setattr(child, "open", missing, raising=False)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(child.resource, "getrusage", lambda _: Usage)
    assert child._peak() == 7 * unit
