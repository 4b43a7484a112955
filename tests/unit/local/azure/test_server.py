"""A function app in Microsoft's real Python runtime, over HTTP; and what is said where it cannot run."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlserverless.local import azure
from mlserverless.web.http import HttpResponse

REASON = azure.available()
REAL = pytest.mark.skipif(REASON is not None, reason=REASON or "")
BLOB = "https://acc.blob.core.windows.net/images/a%20b.jpg"

APP = """
import asyncio, json, os, sys, threading, logging
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
meeting, async_meeting = threading.Barrier(2), asyncio.Barrier(2)
wait = float(os.environ.get("BARRIER_SECONDS", "30"))

def answer(**fields):
    return func.HttpResponse(json.dumps(fields), mimetype="application/json")

@app.route(route="{*path}")
def echo(req: func.HttpRequest) -> func.HttpResponse:
    return answer(
        method=req.method, url=req.url, many=req.headers.get("x-many"), path=req.route_params.get("path"),
        query=dict(req.params), body=req.get_body().hex(),
    )

@app.route(route="raw", methods=["POST"])
def raw(req: func.HttpRequest) -> func.HttpResponse:
    headers = {"Content-Type": req.headers["x-answer"], "X-Same": "1"}
    return func.HttpResponse(req.get_body(), status_code=418, headers=headers)

@app.route(route="only/{name}", methods=["GET"])
def only(req: func.HttpRequest) -> str:
    return "hello " + req.route_params["name"]

@app.route(route="cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse()
    response.headers.add("Set-Cookie", "a=1; Secure; SameSite=None")
    expires = "Expires=Thu, 02 Jan 2031 00:00:00 GMT"
    response.headers.add("Set-Cookie", "b=2; Path=/x; HttpOnly; Max-Age=60; " + expires)
    return response

@app.route(route="fail")
def fail(req: func.HttpRequest) -> func.HttpResponse:
    print("on stdout")
    logging.info("in the log")
    raise ValueError("no such thing")

@app.route(route="meet")
def meet(req: func.HttpRequest) -> func.HttpResponse:
    meeting.wait(wait)
    return answer(met=True)

@app.route(route="meet-async")
async def meet_async(req: func.HttpRequest) -> func.HttpResponse:
    async with asyncio.timeout(wait):
        await async_meeting.wait()
    return answer(met=True)

@app.route(route="environment")
def environment(req: func.HttpRequest) -> func.HttpResponse:
    import mlserverless
    return answer(environment=dict(os.environ), grpc="grpc" in sys.modules, own=mlserverless.__file__)

@app.route(route="exit")
def leave(req: func.HttpRequest) -> func.HttpResponse:
    sys.exit(3)

@app.blob_trigger(arg_name="blob", path="images/{name}", connection="STORE")
def on_blob(blob: func.InputStream):
    seen = (blob.name, blob.uri, blob.length, blob.read())
    if seen != ("images/a b.jpg", os.environ["BLOB"], 3, b"\\x00\\xff\\n"):
        raise LookupError(f"wrong blob {seen}")

@app.queue_trigger(arg_name="message", queue_name="q", connection="STORE")
def on_message(message: func.QueueMessage):
    if message.dequeue_count != 1 or message.insertion_time is None:
        raise LookupError("metadata")
    if message.get_body() != b"hello":
        raise LookupError("body " + message.get_body().decode())

@app.event_grid_trigger(arg_name="event")
def on_event(event: func.EventGridEvent):
    if event.get_json() != {"a": 1}:
        raise LookupError("wrong event")

@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
def on_time(timer: func.TimerRequest):
    if timer.past_due:
        raise LookupError("late")
"""


def write_app(folder: Path, code: str = APP, prefix: str = "") -> Path:
    host = {"version": "2.0", "extensions": {"http": {"routePrefix": prefix}}}
    (folder / "host.json").write_text(json.dumps(host))
    (folder / "function_app.py").write_text(code)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azure.AzureServer]:
    folder = write_app(tmp_path_factory.mktemp("app"))
    (folder / "local.settings.json").write_text('{"Values": {"STORE": "local", "BLOB": "overridden"}}')
    with azure.start(app_dir=folder, environment={"BLOB": BLOB, "CONTAINER_NAME": "x"}) as running:
        yield running


def ask(
    server: azure.AzureServer,
    method: str,
    path: str,
    body: bytes = b"",
    headers: tuple[tuple[str, str], ...] = (),
) -> HttpResponse:
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.putrequest(method, path)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return HttpResponse(answer.status, tuple(answer.getheaders()), answer.read())
    finally:
        connection.close()


@REAL
@pytest.mark.real
class TestServer:
    def test_request_reaches_the_function_whole(self, server: azure.AzureServer) -> None:
        headers = (("X-Many", "1"), ("X-Many", "2"))
        answer = ask(server, "POST", "/a%20b/c?url=x%20y&k=1&k=2", bytes(range(256)), headers)
        assert answer.status == 200
        assert json.loads(answer.body) == {
            "method": "POST",
            "url": f"{server.url}/a%20b/c?url=x%20y&k=1&k=2",
            "many": "1, 2",
            "path": "a b/c",
            "query": {"url": "x y", "k": "1,2"},
            "body": bytes(range(256)).hex(),
        }

    @pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/html", "image/png"])
    @pytest.mark.parametrize("body", [b'{"score":0.949219}', bytes(range(256)), b""])
    def test_answer_leaves_byte_for_byte(self, server: azure.AzureServer, kind: str, body: bytes) -> None:
        answer = ask(server, "POST", "/raw", body, (("X-Answer", kind),))
        headers = (("Content-Type", kind), ("X-Same", "1"), ("Content-Length", str(len(body))))
        assert answer == HttpResponse(418, headers, body)

    def test_megabytes_go_through(self, server: azure.AzureServer) -> None:
        body = os.urandom(8_000_000)
        assert ask(server, "POST", "/raw", body, (("X-Answer", "image/png"),)).body == body

    def test_method_that_no_route_takes_goes_to_the_catch_all(self, server: azure.AzureServer) -> None:
        text = (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "11"))
        assert ask(server, "GET", "/only/world") == HttpResponse(200, text, b"hello world")
        assert json.loads(ask(server, "DELETE", "/only/world").body)["method"] == "DELETE"

    def test_every_cookie_is_set(self, server: azure.AzureServer) -> None:
        headers = ask(server, "GET", "/cookies").headers
        assert [value for name, value in headers if name == "Set-Cookie"] == [
            "a=1; path=/; secure; samesite=none",
            "b=2; expires=Thu, 02 Jan 2031 00:00:00 GMT; max-age=60; path=/x; httponly",
        ]

    def test_exception_is_500_without_a_body(self, server: azure.AzureServer) -> None:
        assert ask(server, "GET", "/fail") == HttpResponse(500, (("Content-Length", "0"),), b"")

    @pytest.mark.parametrize("path", ["/meet", "/meet-async"])
    def test_calls_overlap(self, server: azure.AzureServer, path: str) -> None:
        # Each call waits for the other inside the function: one after the other, both would fail.
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda _: ask(server, "GET", path), range(2)))
        assert [(answer.status, answer.body) for answer in answers] == [(200, b'{"met": true}')] * 2

    def test_environment_is_clean_and_the_hosts(
        self, server: azure.AzureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ONLY_HERE", "1")
        monkeypatch.setenv("MLSERVERLESS_TOP_K", "3")
        python = os.environ.get("MLSERVERLESS_AZURE_PYTHON", sys.executable)
        monkeypatch.setenv("MLSERVERLESS_AZURE_PYTHON", python)
        with azure.start(app_dir=write_app(tmp_path)) as other:
            seen = json.loads(ask(other, "GET", "/environment").body)
        environment = seen["environment"]
        assert environment["AzureWebJobsScriptRoot"] == str(tmp_path)
        assert environment["FUNCTIONS_WORKER_RUNTIME"] == "python"
        assert environment["MLSERVERLESS_TOP_K"] == "3"
        assert not {"ONLY_HERE", "MLSERVERLESS_AZURE_PYTHON"} & set(environment)
        assert not seen["grpc"]
        here = json.loads(ask(server, "GET", "/environment").body)["environment"]
        assert (here["STORE"], here["BLOB"]) == ("local", BLOB)
        assert "CONTAINER_NAME" not in here

    def test_blob_trigger_tells_success_and_failure(self, server: azure.AzureServer) -> None:
        done = server.invoke_blob("on_blob", b"\x00\xff\n", BLOB)
        assert (done.status, done.body) == (202, b"")
        failed = server.invoke_blob("on_blob", b"other", BLOB)
        assert failed.status == 500
        assert failed.body.startswith(b"LookupError: wrong blob ('images/a b.jpg', ")
        assert server.invoke_blob("on_blob", b"", "images/a.jpg").status == 400

    @pytest.mark.parametrize(
        ("name", "body", "status", "said"),
        [
            ("on_message", {"input": "hello"}, 202, b""),
            ("on_message", {"input": "bye"}, 500, b"LookupError: body bye\n"),
            ("on_event", {"input": json.dumps({"id": "1", "data": {"a": 1}})}, 202, b""),
            ("on_event", {"input": {"id": "1", "data": {"a": 2}}}, 500, b"LookupError: wrong event\n"),
            ("on_time", {}, 202, b""),
            ("on_time", [], 400, b'the body must be a JSON object: {"input": "..."}\n'),
            ("echo", {"input": ""}, 400, b"echo has an HTTP trigger: ask its own route\n"),
        ],
    )
    def test_admin_runs_every_other_trigger(
        self, server: azure.AzureServer, name: str, body: object, status: int, said: bytes
    ) -> None:
        headers = (("Content-Type", "application/json"),)
        answer = ask(server, "POST", f"/admin/functions/{name}", json.dumps(body).encode(), headers)
        assert (answer.status, answer.body) == (status, said)

    def test_admin_refuses_what_it_cannot_run(self, server: azure.AzureServer) -> None:
        json_type = (("Content-Type", "application/json"),)
        assert (
            ask(server, "POST", "/admin/functions/on_blob", b'{"input": "images/a.jpg"}', json_type).status == 400
        )
        assert ask(server, "POST", "/admin/functions/none").status == 404
        assert ask(server, "GET", "/admin/functions/on_blob").status == 404


@REAL
@pytest.mark.real
class TestStart:
    def test_prefix_routes_and_404(self, tmp_path: Path) -> None:
        code = APP.replace('route="{*path}"', 'route="echo"')
        with azure.start(app_dir=write_app(tmp_path, code, prefix="api")) as server:
            assert ask(server, "GET", "/api/echo").status == 200
            assert ask(server, "GET", "/echo") == HttpResponse(404, (("Content-Length", "0"),), b"")
            assert ask(server, "POST", "/api/only/x").status == 404

    def test_what_functions_say_goes_to_stderr(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        with azure.start(app_dir=write_app(tmp_path)) as server:
            ask(server, "GET", "/fail")
        out, told = capfd.readouterr()
        assert out == ""
        said = ["on stdout", "INFO:root:in the log", "fail raised:", "ValueError: no such thing"]
        said += [
            "fail: [all] /fail (auth level FUNCTION, not enforced here)",
            "on_blob: blobTrigger, POST /admin",
        ]
        assert [words for words in said if words not in told] == []

    def test_thread_count_is_honoured(self, tmp_path: Path) -> None:
        settings = {"PYTHON_THREADPOOL_THREAD_COUNT": "1", "BARRIER_SECONDS": "0.3"}
        with (
            azure.start(app_dir=write_app(tmp_path), environment=settings) as server,
            ThreadPoolExecutor(2) as pool,
        ):
            answers = list(pool.map(lambda _: ask(server, "GET", "/meet"), range(2)))
        assert [answer.status for answer in answers] == [500, 500]

    def test_the_apps_own_packages_win(self, tmp_path: Path) -> None:
        own = tmp_path / ".python_packages" / "lib" / "site-packages" / "mlserverless"
        own.mkdir(parents=True)
        (own / "__init__.py").write_text("")
        with azure.start(app_dir=write_app(tmp_path)) as server:
            assert json.loads(ask(server, "GET", "/environment").body)["own"] == str(own / "__init__.py")

    def test_sys_exit_in_a_function_ends_the_worker_and_not_its_callers(self, tmp_path: Path) -> None:
        with azure.start(app_dir=write_app(tmp_path)) as server:
            with pytest.raises(ConnectionError):
                ask(server, "GET", "/exit")
            with pytest.raises(ConnectionError):
                ask(server, "GET", "/only/x")

    def test_close_leaves_nothing_behind(self, tmp_path: Path) -> None:
        server = azure.start(app_dir=write_app(tmp_path))
        before = threading.active_count()
        server.close()
        server.close()
        assert threading.active_count() == before
        with pytest.raises(ConnectionRefusedError):
            ask(server, "GET", "/only/x")

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("raise KeyError('model')", "does not load: KeyError: 'model'"),
            ("import no_such_module", "No module named 'no_such_module'"),
            ("import os; os._exit(7)", "its process ended, see stderr"),
            ("import azure.functions as f; app = f.FunctionApp()", "holds no functions"),
            (APP.replace('"raw"', '"/raw"'), "route '/raw' may not begin with '/'"),
        ],
    )
    def test_app_that_cannot_be_served_is_told_why(self, tmp_path: Path, code: str, said: str) -> None:
        with pytest.raises(RuntimeError, match="cannot be served") as caught:
            azure.start(app_dir=write_app(tmp_path, code))
        assert said in str(caught.value)

    def test_folder_that_is_no_app_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match=r"holds no host\.json"):
            azure.start(app_dir=tmp_path)
        with pytest.raises(RuntimeError, match="is no folder"):
            azure.start(app_dir=tmp_path / "none")

    @pytest.mark.parametrize(
        ("text", "said"), [('{"IsEncrypted": true}', "func settings decrypt"), ("[]", "not the JSON object")]
    )
    def test_local_settings_that_cannot_be_read_are_named(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "local.settings.json").write_text(text)
        with pytest.raises(RuntimeError, match=r"local\.settings\.json") as caught:
            azure.start(app_dir=write_app(tmp_path))
        assert said in str(caught.value)


def fake_python(folder: Path, version: list[int], missing: list[str]) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\necho '{json.dumps({'version': version, 'missing': missing})}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("version", "missing", "said"),
    [
        ([3, 12, 1], [], ["needs Python 3.13 or later", "is 3.12.1", "MLSERVERLESS_AZURE_PYTHON"]),
        (
            [3, 13, 0],
            ["google.protobuf"],
            ["has no google.protobuf", "-m pip install", "mlserverless[azure-local]"],
        ),
    ],
)
def test_reason_says_what_to_do(tmp_path: Path, version: list[int], missing: list[str], said: list[str]) -> None:
    python = fake_python(tmp_path, version, missing)
    reason = azure.available(python)
    assert reason is not None
    assert [words for words in (*said, python) if words not in reason] == []
    with pytest.raises(RuntimeError) as caught:
        azure.start(app_dir=tmp_path, python=python)
    assert str(caught.value) == reason


def test_python_is_the_argument_then_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_AZURE_PYTHON", str(tmp_path / "none"))
    reason = azure.available()
    assert reason is not None
    assert f"{tmp_path / 'none'} is no Python" in reason
    assert azure.available(fake_python(tmp_path, [3, 14, 0], [])) is None
