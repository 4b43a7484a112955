"""Google's functions-framework, for real: the project's own function, and a user's."""

import importlib.util
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlserverless.local import gcp
from mlserverless.local.process import ServerProcess

ROOT = Path(__file__).parents[3]
PHOTO = (ROOT / "examples" / "photos" / "flower.jpg").read_bytes()
EVENTS = ROOT / "tests" / "events" / "gcp"
MAIN = """
import json, os
import flask, functions_framework

@functions_framework.http
def mine(request):
    names = "K_SERVICE", "FUNCTION_TARGET", "PORT", "MINE", "ONLY_ON_THIS_MACHINE", "MLSERVERLESS_TOP_K"
    return flask.jsonify({name: os.environ.get(name) for name in names} | {"cwd": os.getcwd()})
"""

pytestmark = pytest.mark.skipif(gcp.available() is not None, reason=str(gcp.available()))


def ask(url: str, body: bytes | None = None, kind: str = "image/jpeg") -> tuple[int, bytes]:
    try:
        request = urllib.request.Request(url, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with gcp.start() as running:
        yield running


def test_the_projects_own_function_classifies(server: ServerProcess) -> None:
    status, body = ask(f"{server.url}/predict?top_k=1", PHOTO)
    assert (status, json.loads(body)["predictions"][0]["label"]) == (200, "daisy")


def test_a_problem_comes_through_as_it_is(server: ServerProcess) -> None:
    status, body = ask(f"{server.url}/nothing")
    assert (status, json.loads(body)["code"]) == (404, "not-found")


def test_an_event_function_takes_its_event_as_google_posts_it() -> None:
    kind = "application/cloudevents+json"
    with gcp.start(target="event") as running:
        deleted, broken = ((EVENTS / f"storage_{name}.json").read_bytes() for name in ("deleted", "no_name"))
        assert ask(running.url, deleted, kind)[0] == 204, "a removal asks for nothing"
        assert ask(running.url, broken, kind)[0] == 400, "what cannot be read is handed back"


def test_a_users_own_function_is_served_in_googles_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_ON_THIS_MACHINE", "1")
    monkeypatch.setenv("MLSERVERLESS_TOP_K", "2")
    (tmp_path / "main.py").write_text(MAIN)
    with gcp.start(app_dir=tmp_path, target="mine", environment={"MINE": "yes"}) as running:
        told: dict[str, Any] = json.loads(ask(running.url)[1])
    assert told == {
        "K_SERVICE": "mine",
        "FUNCTION_TARGET": "mine",
        "PORT": running.url.rpartition(":")[2],
        "MINE": "yes",
        "ONLY_ON_THIS_MACHINE": None,
        "MLSERVERLESS_TOP_K": "2",
        "cwd": str(tmp_path),
    }


def test_a_function_that_cannot_be_imported_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "main.py").write_text("raise ValueError('no such luck')")
    with pytest.raises(RuntimeError, match="the server's process ended with code 1 before it listened"):
        gcp.start(app_dir=tmp_path)
    assert "no such luck" in capfd.readouterr().err


def test_without_the_framework_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    told = 'functions-framework is not installed: pip install "mlserverless[gcp]"'
    assert gcp.available() == told
    with pytest.raises(RuntimeError) as raised:
        gcp.start()
    assert str(raised.value) == told


def test_the_framework_runs_in_this_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[Any] = []
    monkeypatch.setattr(gcp, "ServerProcess", lambda *words: given.append(words))
    gcp.start(app_dir=tmp_path, port=8123, host="127.0.0.2")
    ((command, host, port, _, folder),) = given
    assert command[:3] == [sys.executable, "-m", "functions_framework"]
    assert command[3:] == [
        "--source",
        f"{tmp_path}/main.py",
        "--target",
        "predict",
        "--host",
        host,
        "--port",
        "8123",
    ]
    assert (host, port, folder) == ("127.0.0.2", 8123, tmp_path)
