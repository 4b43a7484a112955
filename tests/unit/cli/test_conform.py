"""``mlserverless conform`` against endpoints that keep the contract, and against some that do not."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from click.testing import CliRunner, Result

from helpers import origin
from mlserverless.adapters.wsgi import Wsgi
from mlserverless.cli.conform import conform
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing import http
from mlserverless.testing.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as running:
        yield running


class Handler(WSGIRequestHandler):
    """Says nothing, and keeps the headers of each request: before it is answered, or the test would be first."""

    def get_environ(self) -> dict[str, Any]:
        seen.append({name.lower(): value for name, value in self.headers.items()})
        return super().get_environ()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


seen: list[dict[str, str]] = []


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A container's endpoint, below a path."""
    with serving("efficientnet-lite0") as url:
        yield url


@contextmanager
def serving(model: str) -> Iterator[str]:
    from threading import Thread

    service = Service(lambda: Predictor(model, max_bytes=http.LIMIT, allow_private_addresses=True))
    application = Wsgi(service)

    def below(environ: Any, start_response: Any) -> Any:
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/stage")
        return application(environ, start_response)

    with make_server("127.0.0.1", 0, below, handler_class=Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/stage"
        server.shutdown()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(conform, list(arguments), env={"COLUMNS": "160"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def counted(done: Result) -> tuple[int, int, int]:
    """Return how many cases hold, of how many, and how many were not tried."""
    found = re.search(r"(\d+) of (\d+) hold, (\d+) not tried\.", done.output)
    assert found, done.output
    return int(found[1]), int(found[2]), int(found[3])


WITHOUT_IMAGES = [case for case in http.cases() if not case.limited and not case.needs()]


def test_an_endpoint_that_keeps_the_contract(endpoint: str, world: World) -> None:
    """Byte by byte what plain Python answers; what needs a text or an odd path cannot be tried from outside."""
    image = world.places().image
    done = run(endpoint, "--image-url", image, "--model", "efficientnet-lite0", "--limited")
    hold, tried, left = counted(done)
    assert (hold, left) == (tried, 3), done.output
    assert tried > len(WITHOUT_IMAGES)
    assert done.exit_code == 0
    assert "NO" not in done.output


def test_a_raw_model_refuses_what_chooses_classes(tmp_path: Path, models: Path, world: World) -> None:
    shutil.copytree(models / "dogs-vs-cats", tmp_path / "mine")
    toml = tmp_path / "mine" / "model.toml"
    toml.write_text('task = "raw"\n' + toml.read_text().replace('labels = "labels.txt"\n', ""))
    with serving(str(tmp_path / "mine")) as url:
        done = run(url, "--image-url", world.places().image, "--model", str(tmp_path / "mine"))
    assert done.exit_code == 0, done.output
    hold, tried, left = counted(done)
    assert (hold, left) == (tried, 4)


def test_without_an_image_the_urls_are_left_out(endpoint: str) -> None:
    done = run(endpoint)
    assert counted(done)[:2] == (len(WITHOUT_IMAGES), len(WITHOUT_IMAGES))
    assert done.exit_code == 0


def test_json_has_every_case(endpoint: str) -> None:
    done = run(endpoint.replace("//", "//user:secret@"), "--json")
    told = json.loads(done.stdout)
    assert told.keys() == {"endpoint", "cases", "hold", "failed", "not_tried"}
    assert "secret" not in done.output
    assert (told["hold"], told["failed"]) == (len(WITHOUT_IMAGES), 0)
    assert told["cases"][0] == {
        "name": "image", "method": "POST", "path": "/", "status": 200, "holds": True, "told": ""
    }  # fmt: skip


def test_the_url_was_an_option(endpoint: str) -> None:
    done = run("--url", endpoint)
    assert done.exit_code == 0
    assert done.stderr.startswith("conform: --url is deprecated, and goes in 0.3: write the URL alone")


def test_a_key_is_sent_with_every_request(endpoint: str) -> None:
    seen.clear()
    run(endpoint, "--header", "x-functions-key:  KEY ")
    assert len(seen) > len(WITHOUT_IMAGES), "and what the task is"
    assert {headers["x-functions-key"] for headers in seen} == {"KEY"}


def test_requests_are_signed_for_lambda(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    seen.clear()
    assert run(endpoint, "--aws-sigv4", "eu-central-1").exit_code == 0
    assert all("/eu-central-1/lambda/aws4_request" in headers["authorization"] for headers in seen)


def test_an_endpoint_that_answers_something_else_fails() -> None:
    """Each case says what differs."""
    answer = origin.response(b"{}", Content_Type="application/json")
    replies = {case.target: answer for case in http.cases()}
    with origin.serving(replies) as other:
        done = run(other.url("").rstrip("/"))
    assert done.exit_code == 1
    assert counted(done)[:2] == (0, len(WITHOUT_IMAGES))
    assert "the header x-request-id: None, not" in done.output


def test_an_endpoint_that_is_not_there_fails() -> None:
    done = run("http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "ConnectionRefusedError" in done.output


def test_another_model_is_told(endpoint: str) -> None:
    done = run(endpoint, "--model", "dogs-vs-cats")
    assert done.exit_code == 1
    assert "the body:" in done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ftp://x.example"], "begins with https:// or http://"),
        (["http://127.0.0.1:9", "--header", "no colon"], "a header is written NAME: VALUE"),
        (["http://127.0.0.1:9", "--model", "no-such-model"], "There is no model 'no-such-model'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_asked(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert done.exit_code != 0
    assert told in done.output


def test_signing_needs_botocore_and_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    asked = ["http://127.0.0.1:9", "--aws-sigv4", "eu-central-1"]
    assert "found no AWS credentials" in run(*asked).output
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    assert "needs botocore" in run(*asked).output
