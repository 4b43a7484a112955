"""Lambda's real Python runtime, run by our Runtime API server, behind the Function URL and the invoke path."""

import http.client
import importlib.util
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mlserverless.local import aws
from mlserverless.local.aws import LambdaServer, available, start
from mlserverless.local.aws import sandboxes as aws_sandboxes
from mlserverless.local.aws.function import INVOKE_PATH, Invocation

needs_runtime = pytest.mark.skipif(available() is not None, reason=str(available()))

HANDLER = '''
import base64, os, signal, subprocess, sys, time
from pathlib import Path

def handler(event, context):
    return globals()[event.get("do", "echo")](event, context)

def url(event, context):
    """Answer a Function URL request with the body it brought."""
    body = event.get("body", "")
    body = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    headers = {"content-type": event["headers"].get("content-type", "none"), "x-path": event["rawPath"]}
    encoded = base64.b64encode(body).decode()
    return {"statusCode": 203, "headers": headers, "cookies": ["a=1"], "body": encoded, "isBase64Encoded": True}

def echo(event, context):
    return event

def about(event, context):
    names = ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id")
    return {
        "pid": os.getpid(),
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
        "remaining_ms": context.get_remaining_time_in_millis(),
        "client_context": context.client_context,
        **{name: getattr(context, name) for name in names},
    }

def fail(event, context):
    raise ValueError("no such luck")

def fail_deep(event, context):
    sys.setrecursionlimit(3000)
    def down(n): return down(n + 1)
    return down(0)

def exit_now(event, context):
    os._exit(event["code"])

def kill_itself(event, context):
    os.kill(os.getpid(), signal.SIGKILL)

def sleep_with_child(event, context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(event["file"]).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(60)

def ask_no_more(event, context):
    """Exit after the answer, or hang."""
    import awslambdaric.lambda_runtime_client as client
    instead = (lambda self: os._exit(7)) if event["exit"] else (lambda self: time.sleep(60))
    client.BaseLambdaRuntimeClient.wait_next_invocation = instead
    return "answered"

def meet(event, context):
    """Wait until ``count`` invocations are under way at once."""
    folder = Path(event["folder"])
    (folder / context.aws_request_id).touch()
    until = time.monotonic() + 20
    while len(list(folder.iterdir())) < event["count"]:
        if time.monotonic() > until:
            return "alone"
        time.sleep(0.01)
    return "met"

def log(event, context):
    with open(event["file"], "a") as file:
        file.write("in\\n")
        file.flush()
        time.sleep(0.05)
        file.write("out\\n")

def large(event, context):
    return "x" * event["bytes"]
'''


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with the function above in ``app.py``."""
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "app.py").write_text(HANDLER)
    return folder


Serve = Callable[..., LambdaServer]


@pytest.fixture
def serve(app: Path) -> Iterator[Serve]:
    """Start servers that are closed after the test."""
    servers: list[LambdaServer] = []

    def serve(handler: str = "app.handler", **settings: Any) -> LambdaServer:
        servers.append(start(handler=handler, app_dir=app, **settings))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def value(invocation: Invocation) -> Any:
    assert not invocation.function_error, invocation.payload
    return json.loads(invocation.payload)


def error(invocation: Invocation) -> dict[str, Any]:
    assert invocation.function_error, invocation.payload
    document = json.loads(invocation.payload)
    assert isinstance(document, dict)
    return document


def ask(
    server: LambdaServer, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    address = urlsplit(server.url).netloc
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()


def running(pid: int) -> bool:
    """Whether the process lives (one that nobody has reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it did not come true within 20 s"
        time.sleep(0.01)


@needs_runtime
def test_an_event_comes_back_as_it_went(serve: Serve) -> None:
    event = {"text": 'λ \u2028 "quoted"', "number": 1.5, "nested": {"list": [1, None, True]}}
    assert value(serve().invoke(event)) == event


@needs_runtime
def test_the_function_sees_a_lambda(serve: Serve, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for the function")
    server = serve(timeout_s=20, memory_mb=512, environment={"AWS_REGION": "eu-west-1", "MINE": "yes"})
    seen = value(server.invoke({"do": "about"}))
    assert seen["cwd"] == str(app)
    assert (seen["function_name"], seen["memory_limit_in_mb"]) == ("function", "512")
    assert seen["invoked_function_arn"] == "arn:aws:lambda:eu-west-1:123456789012:function:function"
    assert 0 < seen["remaining_ms"] <= 20_000
    assert seen["client_context"] is None
    environment = seen["environment"]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert environment["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python{python}"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environment["LAMBDA_TASK_ROOT"] == str(app)
    assert (environment["_HANDLER"], environment["MINE"]) == ("app.handler", "yes")
    assert environment["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert "AWS_SECRET_ACCESS_KEY" not in environment


@needs_runtime
def test_the_default_folder_is_the_current_one(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(app)
    with start(handler="app.handler") as server:
        assert value(server.invoke({"do": "about"}))["cwd"] == str(app)


@needs_runtime
def test_init_is_measured_once_and_apart(serve: Serve, app: Path) -> None:
    (app / "slow.py").write_text("import time; time.sleep(0.3)\nfrom app import handler\n")
    server = serve("slow.handler")
    begun = time.perf_counter()
    cold = server.invoke({"do": "about"})
    whole_ms = (time.perf_counter() - begun) * 1000
    warm = server.invoke({"do": "about"})
    assert cold.init_ms is not None
    assert cold.init_ms >= 300
    assert warm.init_ms is None
    assert cold.duration_ms > 0
    assert cold.init_ms + cold.duration_ms <= whole_ms
    assert value(cold)["pid"] == value(warm)["pid"]
    assert value(cold)["aws_request_id"] != value(warm)["aws_request_id"]


@needs_runtime
def test_duration_covers_the_function(serve: Serve, tmp_path: Path) -> None:
    assert serve().invoke({"do": "log", "file": str(tmp_path / "log")}).duration_ms >= 50


@needs_runtime
def test_an_exception_is_a_function_error_and_the_process_lives_on(serve: Serve) -> None:
    server = serve()
    before = value(server.invoke({"do": "about"}))["pid"]
    document = error(server.invoke({"do": "fail"}))
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "no such luck")
    assert "in fail" in document["stackTrace"][-1]
    assert value(server.invoke({"do": "about"}))["pid"] == before


@needs_runtime
def test_an_exception_with_a_very_long_traceback_is_no_crash(serve: Serve) -> None:
    assert error(serve().invoke({"do": "fail_deep"}))["errorType"] == "RecursionError"


@needs_runtime
@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"do": "exit_now", "code": 3}, "Runtime exited with error: exit status 3"),
        ({"do": "exit_now", "code": 0}, "Runtime exited without providing a reason"),
        ({"do": "kill_itself"}, "Runtime exited with error: signal: killed"),
    ],
)
def test_a_crash_is_an_exit_error_and_the_next_event_finds_a_new_process(
    serve: Serve, event: dict[str, Any], reason: str
) -> None:
    server = serve()
    before = value(server.invoke({"do": "about"}))["pid"]
    document = error(server.invoke(event))
    assert document["errorType"] == "Runtime.ExitError"
    assert document["errorMessage"].startswith("RequestId: ")
    assert document["errorMessage"].endswith(f" Error: {reason}")
    after = server.invoke({"do": "about"})
    assert value(after)["pid"] != before
    assert after.init_ms is not None


@needs_runtime
def test_at_the_deadline_the_process_and_what_it_started_are_killed(serve: Serve, tmp_path: Path) -> None:
    server = serve(timeout_s=1.0)
    late = server.invoke({"do": "sleep_with_child", "file": str(tmp_path / "pids")})
    document = error(late)
    assert document["errorType"] == "Sandbox.Timedout"
    assert document["errorMessage"].endswith(" Error: Task timed out after 1.00 seconds")
    assert late.duration_ms >= 1000
    process, child = map(int, (tmp_path / "pids").read_text().split())
    wait_until(lambda: not running(process) and not running(child))
    assert value(server.invoke({"do": "about"}))["pid"] != process


@needs_runtime
@pytest.mark.parametrize("ends", [True, False])
def test_an_answer_stands_where_the_process_asks_for_no_more(serve: Serve, ends: bool) -> None:
    server = serve(timeout_s=1.0)
    assert value(server.invoke({"do": "ask_no_more", "exit": ends})) == "answered"
    again = server.invoke({"do": "echo"})
    assert value(again) == {"do": "echo"}
    assert again.init_ms is not None


@needs_runtime
def test_a_process_that_died_while_idle_is_replaced_unseen(serve: Serve) -> None:
    server = serve()
    pid = value(server.invoke({"do": "about"}))["pid"]
    sandboxes = server._backend
    assert isinstance(sandboxes, aws_sandboxes.Sandboxes)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not sandboxes._idle[0].alive)
    assert value(server.invoke({"do": "about"}))["pid"] != pid


@needs_runtime
@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("raise LookupError('at import')", "LookupError", "at import"),
        ("import no_such_module", "Runtime.ImportModuleError", "No module named 'no_such_module'"),
        ("other = None", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'broken'"),
        ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'broken'"),
        ("import os; os._exit(4)", "Runtime.ExitError", "Runtime exited with error: exit status 4"),
    ],
)
def test_an_init_error_is_reported_at_each_event(
    serve: Serve, app: Path, source: str, error_type: str, message: str
) -> None:
    (app / "broken.py").write_text(source)
    server = serve("broken.handler")
    for _ in range(2):
        invocation = server.invoke({})
        document = error(invocation)
        assert document["errorType"] == error_type
        assert message in document["errorMessage"]
        assert invocation.init_ms is not None


@needs_runtime
def test_an_init_that_never_ends_times_out(serve: Serve, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_sandboxes, "_INIT_LIMIT_S", 0.2)
    (app / "stuck.py").write_text("import time; time.sleep(300)")
    invocation = serve("stuck.handler", timeout_s=0.3).invoke({})
    assert invocation.init_ms is not None
    assert 500 <= invocation.init_ms < 30_000
    document = error(invocation)
    assert document["errorType"] == "Sandbox.Timedout"
    assert document["errorMessage"].endswith("Task timed out after 0.30 seconds")


@needs_runtime
def test_sandboxes_work_at_the_same_time(serve: Serve, tmp_path: Path) -> None:
    server = serve(sandboxes=3)
    (tmp_path / "hall").mkdir()
    event = {"do": "meet", "folder": str(tmp_path / "hall"), "count": 3}
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(server.invoke, [event] * 3))
    assert [value(result) for result in results] == ["met"] * 3


@needs_runtime
def test_one_sandbox_serves_one_event_at_a_time(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    event = {"do": "log", "file": str(tmp_path / "log")}
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(server.invoke, [event] * 4):
            value(result)
    assert (tmp_path / "log").read_text().split() == ["in", "out"] * 4


@needs_runtime
def test_events_one_after_another_stay_in_one_sandbox(serve: Serve, tmp_path: Path) -> None:
    server = serve(sandboxes=2)
    (tmp_path / "hall").mkdir()
    event = {"do": "meet", "folder": str(tmp_path / "hall"), "count": 2}
    with ThreadPoolExecutor(2) as pool:  # so that both are warm
        assert [value(result) for result in pool.map(server.invoke, [event] * 2)] == ["met"] * 2
    assert len({value(server.invoke({"do": "about"}))["pid"] for _ in range(6)}) == 1


@needs_runtime
def test_binary_goes_through_the_function_url_and_back(serve: Serve) -> None:
    image = bytes(range(256)) * 4000
    server = serve("app.url")
    response, body = ask(server, "POST", "/some%20where?x=1", image, {"Content-Type": "image/jpeg"})
    assert (response.status, body) == (203, image)
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["set-cookie"] == "a=1"
    assert response.headers["x-path"] == "/some%20where"


@needs_runtime
def test_a_function_error_behind_the_url_is_a_502(serve: Serve) -> None:
    response, body = ask(serve("app.fail"), "GET", "/")
    assert (response.status, body) == (502, b"Internal Server Error")


@needs_runtime
def test_the_invoke_path_takes_a_raw_event(serve: Serve) -> None:
    server = serve()
    response, body = ask(server, "POST", INVOKE_PATH, b'{"Records": []}')
    assert (response.status, json.loads(body)) == (200, {"Records": []})
    assert "X-Amz-Function-Error" not in response.headers
    response, body = ask(server, "POST", INVOKE_PATH)
    assert json.loads(body) == {}


@needs_runtime
def test_the_invoke_path_tells_a_function_error(serve: Serve) -> None:
    response, body = ask(serve(), "POST", INVOKE_PATH, b'{"do": "fail"}')
    assert (response.status, response.headers["X-Amz-Function-Error"]) == (200, "Unhandled")
    assert json.loads(body)["errorType"] == "ValueError"


@needs_runtime
def test_the_invoke_path_refuses_what_is_not_json(serve: Serve) -> None:
    response, body = ask(serve(), "POST", INVOKE_PATH, b"{'do': 1}")
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (400, "InvalidRequestContentException")
    assert json.loads(body)["message"].startswith("Could not parse request body into json: ")


@needs_runtime
def test_another_method_on_the_invoke_path_is_the_function_urls(serve: Serve) -> None:
    response, _ = ask(serve("app.url"), "PUT", INVOKE_PATH)
    assert response.headers["x-path"] == INVOKE_PATH


@needs_runtime
def test_lambdas_6_mb_are_kept(serve: Serve) -> None:
    server = serve()
    limit = 6_291_456
    with pytest.raises(ValueError, match=f"an event must be at most {limit} bytes, got {limit + 1}"):
        server.invoke({"x": "y" * (limit + 1 - len('{"x": ""}'))})
    assert value(server.invoke({"x": "y" * (limit - len('{"x": ""}'))}))["x"][:2] == "yy"
    response, body = ask(server, "POST", INVOKE_PATH, b'"' + b"x" * limit + b'"')
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (413, "RequestTooLargeException")
    assert b"6291456 bytes" in body
    # 5 MB of image are 6.7 MB of base64
    response, _ = ask(server, "POST", "/", b"x" * 5_000_000, {"Content-Type": "image/png"})
    assert response.status == 413


@needs_runtime
def test_a_result_above_lambdas_limit_is_a_function_error(serve: Serve) -> None:
    server = serve()
    assert len(value(server.invoke({"do": "large", "bytes": 6_291_554}))) == 6_291_554
    document = error(server.invoke({"do": "large", "bytes": 6_291_555}))
    assert document["errorType"] == "Function.ResponseSizeTooLarge"
    assert "(6291556 bytes)" in document["errorMessage"]


@needs_runtime
def test_close_ends_everything(serve: Serve) -> None:
    server = serve(sandboxes=2)
    pid = value(server.invoke({"do": "about"}))["pid"]
    address = urlsplit(server.url)
    server.close()
    server.close()
    assert not running(pid)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5)
    with pytest.raises(RuntimeError, match="this Lambda server is closed"):
        server.invoke({})


@needs_runtime
def test_close_ends_an_event_under_way(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(server.invoke, {"do": "sleep_with_child", "file": str(tmp_path / "pids")})
        wait_until(lambda: (tmp_path / "pids").exists())
        server.close()
        assert error(busy.result(20))["errorType"] == "Runtime.ExitError"


@needs_runtime
def test_nothing_is_left_where_the_port_is_taken(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(aws_sandboxes.Sandboxes, "close", lambda self: closed.append(True))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        start(handler="app.handler", app_dir=app, port=taken.getsockname()[1])
    assert closed == [True]


@needs_runtime
def test_threads_end_with_the_server(serve: Serve) -> None:
    before = threading.active_count()
    server = serve(sandboxes=2)
    server.invoke({})
    server.close()
    wait_until(lambda: threading.active_count() <= before)


def test_without_awslambdaric_the_reason_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r'pip install "mlserverless\[aws\]"'):
        start(handler="app.handler")


def test_without_the_native_client_it_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "runtime_client" else True)
    assert "awslambdaric" in str(available())


def test_on_another_system_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Linux only, this is darwin" in str(available())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"handler": "handler"}, "handler must be a dotted path like package.module.function, got 'handler'"),
        ({"app_dir": Path("no/such/folder")}, "app_dir must be a folder, got .*no/such/folder"),
        ({"sandboxes": 0}, "sandboxes must be 1 or more, got 0"),
        ({"sandboxes": 2, "emulator": True}, "sandboxes must be 1, as the emulator serves one .*, got 2"),
        ({"timeout_s": 0}, "timeout_s must be above 0 and at most 900 seconds, got 0"),
        ({"timeout_s": 901.0}, "timeout_s must be above 0 and at most 900 seconds, got 901.0"),
        ({"memory_mb": 127}, "memory_mb must be from 128 to 10240 MB, got 127"),
        ({"memory_mb": 10_241}, "memory_mb must be from 128 to 10240 MB, got 10241"),
    ],
)
def test_a_setting_lambda_would_not_take_is_refused(
    settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "available", lambda: None)
    with pytest.raises(ValueError, match=message):
        start(**{"handler": "app.handler", **settings})


@needs_runtime
@pytest.mark.parametrize(
    "emulator", [False, pytest.param(True, marks=pytest.mark.real)], ids=["runtime-api", "rie"]
)
def test_what_the_function_and_its_runtime_say_goes_to_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], emulator: bool
) -> None:
    (tmp_path / "talker.py").write_text(
        "def handler(event, context):\n    print('a line of the log', flush=True)\n"
    )
    with start(handler="talker.handler", app_dir=tmp_path, emulator=emulator) as server:
        assert not server.invoke({}).function_error
    said = capfd.readouterr()
    assert said.out == ""
    assert "a line of the log" in said.err
