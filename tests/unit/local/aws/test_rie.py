"""AWS's Runtime Interface Emulator: its words become Lambda's, and the real one agrees with our own server."""

import json
import platform
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlserverless.local.aws import LambdaServer, available, rie, start

needs_runtime = pytest.mark.skipif(available() is not None, reason=str(available()))

ERROR = {"errorMessage": "m", "errorType": "T", "requestId": "r", "stackTrace": []}


@pytest.mark.parametrize(
    ("body", "function_error"),
    [
        (json.dumps(ERROR).encode(), True),
        (json.dumps({**ERROR, "more": 1}).encode(), False),
        (b'{"errorMessage": "a result of the function", "errorType": "its own"}', False),
        (b'"errorMessage"', False),
        (b"\x89PNG", False),
        (b"Task timed out after 3.00 seconds", False),
    ],
)
def test_an_answer_is_an_error_only_in_the_runtimes_own_form(body: bytes, function_error: bool) -> None:
    assert rie._understand(200, body, 2) == (body, function_error)


def test_a_timeout_becomes_lambdas_document() -> None:
    payload, function_error = rie._understand(200, b"Task timed out after 2.00 seconds", 2)
    assert function_error
    document = json.loads(payload)
    assert document["errorType"] == "Sandbox.Timedout"
    assert document["errorMessage"].endswith(" Error: Task timed out after 2.00 seconds")


def test_a_502_is_a_function_error_also_without_a_word() -> None:
    assert rie._understand(502, b'{"errorType":"Runtime.ExitError"}', 2) == (
        b'{"errorType":"Runtime.ExitError"}',
        True,
    )
    payload, function_error = rie._understand(502, b"", 2)
    assert (json.loads(payload)["errorType"], function_error) == ("Runtime.ExitError", True)


def test_another_status_is_the_emulators_own_failure() -> None:
    with pytest.raises(RuntimeError, match="the Runtime Interface Emulator answered 404: b'404 page"):
        rie._understand(404, b"404 page not found", 2)


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "riscv64"), ("Windows", "AMD64")])
def test_where_there_is_no_binary_the_error_names_the_machine(
    system: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(RuntimeError, match=f"Linux x86_64 and arm64 only, this is {system} {machine.lower()}"):
        rie.binary()


@pytest.mark.parametrize(
    ("machine", "name"),
    [("x86_64", "aws-lambda-rie-x86_64"), ("aarch64", "aws-lambda-rie-arm64"), ("arm64", "aws-lambda-rie-arm64")],
)
def test_the_machines_own_binary_is_taken_and_made_executable(
    machine: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "samcli" / "local" / "rapid"
    folder.mkdir(parents=True)
    for one in ("aws-lambda-rie-x86_64", "aws-lambda-rie-arm64"):
        (folder / one).touch(mode=0o644)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(rie, "fetch", lambda part: tmp_path)
    assert rie.binary() == folder / name
    assert (folder / name).stat().st_mode & 0o111 == 0o111


HANDLER = """
import os, time

def handler(event, context):
    do = event.get("do")
    if do == "fail":
        raise ValueError("no such luck")
    if do == "exit":
        os._exit(event["code"])
    if do == "large":
        return "x" * event["bytes"]
    if do == "sleep":
        time.sleep(60)
    if do == "log":
        with open(event["file"], "a") as file:
            file.write("in\\n")
            file.flush()
            time.sleep(0.05)
            file.write("out\\n")
    if do == "about":
        return {"pid": os.getpid(), "environment": dict(os.environ), "memory": context.memory_limit_in_mb}
    if "rawPath" in event:
        return {"statusCode": 200, "body": event["body"], "isBase64Encoded": event["isBase64Encoded"]}
    return event
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LambdaServer]:
    (tmp_path / "app.py").write_text(HANDLER)
    with start(handler="app.handler", app_dir=tmp_path, timeout_s=1.5, memory_mb=512, emulator=True) as emulated:
        yield emulated


def error(server: LambdaServer, event: dict[str, Any]) -> dict[str, Any]:
    invocation = server.invoke(event)
    assert invocation.function_error, invocation.payload
    document = json.loads(invocation.payload)
    assert isinstance(document, dict)
    return document


@pytest.mark.real
@needs_runtime
def test_the_real_emulator_runs_the_function(server: LambdaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    invocation = server.invoke({"text": "λ"})
    assert (json.loads(invocation.payload), invocation.function_error) == ({"text": "λ"}, False)
    assert invocation.init_ms is None
    assert invocation.duration_ms > 0
    about = json.loads(server.invoke({"do": "about"}).payload)
    assert about["memory"] == "512"
    assert about["environment"]["AWS_LAMBDA_FUNCTION_TIMEOUT"] == "2"
    assert about["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == "function"
    assert about["environment"]["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")


@pytest.mark.real
@needs_runtime
def test_the_real_emulators_failures_are_lambdas(server: LambdaServer) -> None:
    assert error(server, {"do": "fail"})["errorType"] == "ValueError"
    crash = error(server, {"do": "exit", "code": 3})
    assert crash["errorType"] == "Runtime.ExitError"
    assert crash["errorMessage"].endswith(" Error: Runtime exited with error: exit status 3")
    late = error(server, {"do": "sleep"})
    assert late["errorType"] == "Sandbox.Timedout"
    assert late["errorMessage"].endswith(" Error: Task timed out after 2.00 seconds")
    assert json.loads(server.invoke({"a": 1}).payload) == {"a": 1}


@pytest.mark.real
@needs_runtime
def test_our_own_server_says_the_same(server: LambdaServer, tmp_path: Path) -> None:
    def said(by: LambdaServer, event: dict[str, Any]) -> tuple[str, bool]:
        invocation = by.invoke(event)
        text = invocation.payload.decode().replace('":"', '": "').replace('","', '", "')
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text), invocation.function_error

    with start(handler="app.handler", app_dir=tmp_path, timeout_s=2.0, memory_mb=512) as ours:
        for event in (
            {"text": "λ", "list": [1.5, None]},
            {"do": "fail"},
            {"do": "exit", "code": 3},
            {"do": "exit", "code": 0},
            {"do": "sleep"},
            {"do": "large", "bytes": 6_291_554},
            {"do": "large", "bytes": 6_291_555},
        ):
            assert said(ours, event) == said(server, event)


@pytest.mark.real
@needs_runtime
def test_concurrent_events_wait_for_each_other(server: LambdaServer, tmp_path: Path) -> None:
    event = {"do": "log", "file": str(tmp_path / "log")}
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(server.invoke, [event] * 4))
    assert [json.loads(result.payload) for result in results] == [event] * 4
    assert (tmp_path / "log").read_text().split() == ["in", "out"] * 4


@pytest.mark.real
@needs_runtime
def test_an_init_error_is_a_function_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise LookupError('at import')")
    with start(handler="broken.handler", app_dir=tmp_path, emulator=True) as server:
        for _ in range(2):
            assert error(server, {})["errorMessage"] == "at import"


@pytest.mark.real
@needs_runtime
def test_close_ends_the_emulator_and_the_function(server: LambdaServer) -> None:
    pid = json.loads(server.invoke({"do": "about"}).payload)["pid"]
    server.close()
    server.close()
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] in "ZX"
    with pytest.raises(RuntimeError, match="the Runtime Interface Emulator gave no answer"):
        server.invoke({})


@needs_runtime
def test_an_emulator_that_ends_at_once_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rie, "binary", lambda: Path("/bin/false"))
    with pytest.raises(RuntimeError, match="ended at its start with exit status 1"):
        start(handler="app.handler", app_dir=tmp_path, emulator=True)


@needs_runtime
def test_an_emulator_that_never_listens_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(rie, "binary", lambda: sleeper)
    monkeypatch.setattr(rie, "_GRACE_S", 0.3)
    with pytest.raises(RuntimeError, match="did not listen within"):
        start(handler="app.handler", app_dir=tmp_path, emulator=True)
