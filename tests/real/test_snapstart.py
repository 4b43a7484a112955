"""SnapStart through Lambda's own runtime: awslambdaric calls the hooks of the real ``snapshot_restore_py``.

The snapshot itself, of a whole virtual machine, is what cannot be had here: the process goes on where it waited.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from helpers.origin import keep, response, serving
from mlserverless.local import aws, deploy

from . import stores
from .origin import PHOTOS

pytestmark = pytest.mark.real
TOKEN = "a token of this sandbox's"
# The deploy folder's app.py, with what looks on. Before a snapshot hooks run last in, first out: ``look`` is last.
APP = """
import os, re, time
from snapshot_restore_py import register_after_restore, register_before_snapshot
from mlserverless.deadline import Deadline
from mlserverless.types import Request

seen = {}

def connections():
    "The ports that this process is connected to."
    inodes = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            inodes |= set(re.findall(r"^socket:\\[(\\d+)\\]$", os.readlink(f"/proc/self/fd/{name}")))
        except OSError:
            pass
    with open("/proc/self/net/tcp") as file:
        rows = [line.split() for line in file][1:]
    return {int(row[2].partition(":")[2], 16) for row in rows if row[3] == "01" and row[9] in inodes}

def look():
    until = time.monotonic() + 5  # obstore closes its connections aside
    while PORTS & (found := connections()) and time.monotonic() < until:
        time.sleep(0.02)
    seen["at the snapshot"] = sorted(PORTS & found)
    seen["loaded"] = service.predictor.loaded is not None

register_before_snapshot(look)
from mlserverless.adapters.aws import handler as answer, service, warm_up
PORTS = {int(port) for port in os.environ["PORTS"].split()}
warm_up()
for url in os.environ["URLS"].split():
    service.predict(Request("before", url=url), Deadline())
seen["before"] = sorted(PORTS & connections())
register_after_restore(lambda: seen.update(restored=True, after=sorted(PORTS & connections())))

def handler(event, context):
    return seen if event == "seen" else answer(event, context)
"""


class Credentials:
    """Where Lambda gives a function its keys: for the token, and to nobody else. ``asked`` counts them."""

    def __init__(self) -> None:
        self.asked, self.expected = 0, TOKEN
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.headers["Authorization"] == outer.expected
                outer.asked += known
                keys = {
                    "AccessKeyId": "k",
                    "SecretAccessKey": "s",
                    "Token": "t",
                    "Expiration": "2099-01-01T00:00:00Z",
                }
                body = json.dumps(keys if known else {}).encode()
                self.send_response(200 if known else 403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/credentials"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def moto() -> Iterator[stores.S3]:
    started = stores.s3()
    started.put("images", "cat.png", (PHOTOS / "chelsea.png").read_bytes())
    yield started
    started.close()


@pytest.fixture
def credentials() -> Iterator[Credentials]:
    started = Credentials()
    yield started
    started.close()


@pytest.fixture
def environment(moto: stores.S3, credentials: Credentials) -> dict[str, str]:
    """What Lambda gives a function with SnapStart: no keys, but where to get some."""
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials.url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
        "AWS_ENDPOINT_URL": moto.environment["AWS_ENDPOINT_URL"],
        "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true",
    }


def invoke(server: aws.LambdaServer, event: Any) -> Any:
    invocation = server.invoke(event)
    assert not invocation.function_error, invocation.payload
    return json.loads(invocation.payload)


def test_nothing_but_a_warm_model_goes_through_a_snapshot(
    tmp_path: Path,
    environment: dict[str, str],
    moto: stores.S3,
    credentials: Credentials,
    need: Callable[[str | None], None],
) -> None:
    need(aws.available())
    (tmp_path / "app.py").write_text(APP)
    photo = response((PHOTOS / "chelsea.png").read_bytes())
    with serving({"/cat.png": keep(photo, photo, photo)}) as origin:
        ports, urls = sorted([moto.port, origin.port]), ["s3://images/cat.png", origin.url("/cat.png")]
        extra = {"PORTS": " ".join(map(str, ports)), "URLS": " ".join(urls)}
        with aws.start(
            handler="app.handler", app_dir=tmp_path, environment=environment | extra, snap_start=True
        ) as server:
            seen = invoke(server, "seen")
            assert origin.port in seen["before"], "there was a connection to let go of"
            assert (seen["at the snapshot"], seen["after"]) == ([], [])
            assert (seen["loaded"], seen["restored"]) == (True, True)
            assert (credentials.asked, origin.accepted) == (1, 1)
            for url in urls:
                answer = invoke(server, {"url": url, "top_k": 1})
                assert "cat" in answer["predictions"][0]["label"], answer
            assert (credentials.asked, origin.accepted) == (2, 2), "a restored function has its own"


def test_a_version_whose_model_cannot_be_used_is_not_published(
    environment: dict[str, str], need: Callable[[str | None], None]
) -> None:
    need(aws.available())
    wrong = environment | {"MLSERVERLESS_MODEL": "no-such-model"}
    with aws.start(
        handler="app.handler", app_dir=deploy.folder("aws"), environment=wrong, snap_start=True
    ) as server:
        invocation = server.invoke({"url": "https://example.com/cat.jpg"})
    assert invocation.function_error
    told = json.loads(invocation.payload)
    assert told["errorType"] == "ModelUnavailable"
    assert "There is no model 'no-such-model'" in told["errorMessage"]


def test_a_restored_function_is_ready_at_once(need: Callable[[str | None], None]) -> None:
    need(aws.available())
    init_ms = {}
    for snap_start in (True, False):
        with aws.start(handler="app.handler", app_dir=deploy.folder("aws"), snap_start=snap_start) as server:
            invocation = server.invoke({"source": "serverless-plugin-warmup"})
        assert json.loads(invocation.payload) == {"warm": True}
        init_ms[snap_start] = invocation.init_ms or 0.0
    assert 0 < init_ms[True] < init_ms[False] / 2, init_ms
