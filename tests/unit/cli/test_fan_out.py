"""The options of ``batch`` that say who answers, and what they come to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mlserverless.batch import endpoint, lithops
from mlserverless.cli import conform, fan_out
from mlserverless.cli.batch import batch
from mlserverless.local.front import Front
from mlserverless.web.http import HttpRequest, HttpResponse

JSON = (("Content-Type", "application/json"),)


class Function:
    """A deployed function that knows one model and one label."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self._front = Front(self._answer)
        self.url, self.close = self._front.url, self._front.close

    def _answer(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if request.headers.get("authorization") == "wrong":
            return HttpResponse(403, (), b"")
        told: dict[str, Any] = {"name": "m", "sha256": "5a"}
        if request.path == "/predict":
            told = {"model": "m", "sha256": "5a", "predictions": []}
            if urls := json.loads(request.body).get("urls"):
                told = {"results": [told] * len(urls)}
        return HttpResponse(200, JSON, json.dumps(told).encode())


@pytest.fixture
def function() -> Iterator[Function]:
    made = Function()
    yield made
    made.close()


def run(folder: Path, *arguments: str) -> Result:
    source = folder / "urls.txt"
    source.write_text("".join(f"https://example.com/{index}\n" for index in range(5)))
    out = folder / "out.jsonl"
    return CliRunner().invoke(
        batch, [str(source), "--out", str(out), "--quiet", *arguments], catch_exceptions=False
    )


def test_a_deployed_function_answers(function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTION_KEY", "the-key")
    words = ("--endpoint", function.url, "--header", "A: 1", "--header-env", "x-functions-key=FUNCTION_KEY")
    result = run(tmp_path, *words, "--top-k", "3", "--per-request", "2", "--concurrency", "1")
    assert (result.exit_code, result.output) == (0, "")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["source"] for row in rows] == [f"https://example.com/{index}" for index in range(5)]
    model, *asked = function.requests
    assert model.path == "/model"
    assert [json.loads(request.body)["top_k"] for request in asked] == [3, 3, 3]
    assert {request.headers["x-functions-key"] for request in function.requests} == {"the-key"}
    assert {request.headers["a"] for request in function.requests} == {"1"}
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "the-key" not in kept


def test_a_model_is_one_of_the_functions(function: Function, tmp_path: Path) -> None:
    assert run(tmp_path, "--endpoint", function.url, "--model", "other").exit_code == 0
    assert function.requests[0].query == "model=other"
    assert json.loads(function.requests[1].body)["model"] == "other"


def test_who_is_not_let_in_is_told_without_the_key(function: Function, tmp_path: Path) -> None:
    result = run(tmp_path, "--endpoint", f"{function.url}/?code=hidden", "--header", "Authorization: wrong")
    assert result.exit_code == 2
    assert "answers 403: it lets nobody in" in result.output
    assert "wrong" not in result.output
    assert "hidden" not in result.output


def test_requests_are_signed_for_lambda(
    function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signer(region: str) -> conform.Sign:
        return lambda method, url, headers, body: {**headers, "Authorization": f"{region} {method}"}

    monkeypatch.setattr(conform, "signer", signer)
    assert run(tmp_path, "--endpoint", function.url, "--aws-sigv4", "eu-central-1").exit_code == 0
    assert [request.headers["authorization"] for request in function.requests][:2] == [
        "eu-central-1 GET",
        "eu-central-1 POST",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--endpoint", "https://f.example", "--engine", "lithops"), "--engine is for a batch on this machine or"),
        (("--endpoint", "https://f.example", "--workers", "2"), "--workers is for a batch on this machine, not"),
        (("--endpoint", "https://f.example", "--downloads", "2"), "--downloads is for a batch on this machine or"),
        (("--endpoint", "https://f.example", "--chunk", "2"), "--chunk is for a batch with --engine lithops, not"),
        (("--header", "A: 1"), "--header is for a batch with --endpoint, not on this machine: leave it out."),
        (("--header-env", "A=B"), "--header-env is for a batch with --endpoint"),
        (("--aws-sigv4", "eu-central-1"), "--aws-sigv4 is for a batch with --endpoint"),
        (("--per-request", "2"), "--per-request is for a batch with --endpoint"),
        (("--concurrency", "2"), "--concurrency is for a batch with --engine lithops or with --endpoint, not on"),
        (("--engine", "lithops", "--workers", "2"), "--workers is for a batch on this machine, not with --engine"),
        (("--endpoint", "f.example"), "is no URL of a function"),
        (("--endpoint", "https://f.example", "--header-env", "A=NO_SUCH"), "the variable NO_SUCH is not set"),
        (("--endpoint", "https://f.example", "--label", "a,b"), "labels_allow has one"),
    ],
)
def test_what_does_not_go_together_is_told_before_anything_is_done(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    result = run(tmp_path, *words)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())
    assert not (tmp_path / "out.jsonl.part").exists()


def given(**more: Any) -> dict[str, Any]:
    return {**dict.fromkeys(fan_out.USED), "endpoint": None, "headers": (), "header_env": (), "retries": 1, **more}


def test_lithops_is_made_with_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(lithops, "Lithops", lambda *words, **named: made.append((words, named)))
    fan_out.engine({"model": "m"}, {"top_k": 1}, given(engine="lithops", chunk=7, downloads=3))
    (((settings, options), named),) = made
    assert (settings, options) == ({"model": "m"}, {"top_k": 1})
    assert (named["chunk"], named["downloads"], named["retry"].retries) == (7, 3, 1)
    assert "concurrency" not in named


def test_this_machine_is_asked_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(fan_out, "Local", lambda *words, **named: made.append((words, named)))
    fan_out.engine({"model": "m"}, {"top_k": 1}, given(workers=3, engine="litert"))
    (((settings, options), named),) = made
    assert (settings, options) == ({"model": "m"}, {"top_k": 1})
    assert (named["workers"], named["downloads"], named["retry"].retries) == (3, fan_out.DOWNLOADS, 1)


def test_defaults_are_as_the_help_says() -> None:
    told = CliRunner().invoke(batch, ["--help"], env={"COLUMNS": "200"}).output
    words = " ".join(told.split())
    assert f"URLs in one request [default: {endpoint.PER_REQUEST}]" in words
    assert (
        f"--endpoint [default: {endpoint.CONCURRENCY}], or calls of lithops [default: {lithops.CONCURRENCY}]"
        in words
    )
    assert f"in a call of lithops [default: {lithops.CHUNK}]" in words
