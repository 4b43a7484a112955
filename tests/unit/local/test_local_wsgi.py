"""The WSGI application under gunicorn, for real."""

import importlib.util
import json
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mlserverless.local import wsgi
from mlserverless.local.process import ServerProcess

ROOT = Path(__file__).parents[3]
PHOTO = (ROOT / "examples" / "photos" / "flower.jpg").read_bytes()

pytestmark = pytest.mark.skipif(wsgi.available() is not None, reason=str(wsgi.available()))


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with wsgi.start(environment={"MLSERVERLESS_MAX_BYTES": "300000"}) as running:
        yield running


def connect(server: ServerProcess) -> closing[HTTPConnection]:
    parts = urlsplit(server.url)
    return closing(HTTPConnection(str(parts.hostname), parts.port, timeout=30))


def ask(server: ServerProcess, method: str, path: str, **request: Any) -> tuple[int, bytes]:
    with connect(server) as connection:
        connection.request(method, path, **request)
        response = connection.getresponse()
        return response.status, response.read()


def test_an_image_is_classified(server: ServerProcess) -> None:
    status, body = ask(server, "POST", "/predict?top_k=1", body=PHOTO, headers={"Content-Type": "image/jpeg"})
    assert (status, json.loads(body)["predictions"][0]["label"]) == (200, "daisy")


def test_a_chunked_image_is_classified_the_same(server: ServerProcess) -> None:
    pieces = (PHOTO[i : i + 10_000] for i in range(0, len(PHOTO), 10_000))
    headers = {"Content-Type": "image/jpeg", "Transfer-Encoding": "chunked"}
    chunked = ask(server, "POST", "/", body=pieces, headers=headers, encode_chunked=True)
    assert chunked == ask(server, "POST", "/", body=PHOTO, headers={"Content-Type": "image/jpeg"})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused(server: ServerProcess, chunked: bool) -> None:
    body: Any = iter([b"x" * 300_000, b"x"]) if chunked else b"x" * 300_001
    headers = {"Content-Type": "image/jpeg", **({"Transfer-Encoding": "chunked"} if chunked else {})}
    status, told = ask(server, "POST", "/", body=body, headers=headers, encode_chunked=chunked)
    assert (status, json.loads(told)["code"]) == (413, "image-too-large")


@pytest.mark.parametrize(
    ("method", "path", "status", "length"),
    [("HEAD", "/healthz", 200, "15"), ("HEAD", "/nothing", 404, None), ("OPTIONS", "/predict", 204, None)],
)
def test_the_connection_stays_in_step_after_an_answer_without_a_body(
    server: ServerProcess, method: str, path: str, status: int, length: str | None
) -> None:
    with connect(server) as connection:
        connection.request(method, path)
        first = connection.getresponse()
        assert (first.status, first.read()) == (status, b"")
        assert first.headers["Content-Length"] == length or status == 404
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'


def test_who_has_the_model_is_told_so_and_the_connection_stays_in_step(server: ServerProcess) -> None:
    with connect(server) as connection:
        connection.request("GET", "/model")
        first = connection.getresponse()
        first.read()
        connection.request("GET", "/model", headers={"If-None-Match": first.headers["ETag"]})
        second = connection.getresponse()
        assert (second.status, second.headers["Content-Length"], second.read()) == (304, None, b"")
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'


def test_sixteen_clients_at_once_get_the_same_bytes(server: ServerProcess) -> None:
    barrier = threading.Barrier(16, timeout=30)

    def one(_: int) -> tuple[int, bytes]:
        barrier.wait()
        return ask(server, "POST", "/", body=PHOTO, headers={"Content-Type": "image/jpeg"})

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(16)))
    assert {status for status, _ in answers} == {200}
    assert len({body for _, body in answers}) == 1


def test_an_application_of_the_users_own_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "import os\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Length', '3')])\n"
        "    return [os.environ.get('ONLY_ON_THIS_MACHINE', os.environ['MINE']).encode()]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONLY_ON_THIS_MACHINE", "1")
    with wsgi.start(application="mine:app", environment={"MINE": "yes"}) as running:
        assert ask(running, "GET", "/")[1] == b"yes"


def test_an_application_that_is_not_there_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="the server's process ended with code"):
        wsgi.start(application="no_such_module:app")
    assert "no_such_module" in capfd.readouterr().err


def test_a_port_that_is_taken_is_told() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(RuntimeError, match="cannot be listened on"),
    ):
        wsgi.start(port=taken.getsockname()[1])


def test_after_closing_nothing_listens() -> None:
    running = wsgi.start(port=0)
    running.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{running.url}/healthz", timeout=5)


def test_without_gunicorn_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    told = 'gunicorn is not installed: pip install "mlserverless[wsgi]"'
    assert wsgi.available() == told
    with pytest.raises(RuntimeError) as raised:
        wsgi.start()
    assert str(raised.value) == told


def test_gunicorn_runs_in_this_python_with_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker: a second one would load the model again."""
    given: list[Any] = []
    monkeypatch.setattr(wsgi, "ServerProcess", lambda *words: given.append(words))
    wsgi.start(host="127.0.0.2", port=8123, threads=3)
    ((command, host, port, _, folder),) = given
    assert command[:5] == [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.2:8123"]
    assert command[5:7] == ["--threads", "3"]
    assert "--workers" not in command
    assert (host, port, folder) == ("127.0.0.2", 8123, Path.cwd())
