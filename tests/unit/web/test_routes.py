"""Which paths and methods are answered, and what stands beside the prediction: health, readiness, the model."""

import json
from typing import Any

import pytest

from helpers.services import FakeService
from helpers.web import JSON, URL, ask, headers, problem
from mlserverless.errors import ModelUnavailable
from mlserverless.predictor import Predictor
from mlserverless.serving import Service


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        *[
            (method, "/predict", "GET, POST")
            for method in ("PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "get", "x" * 99)
        ],
        ("PUT", "/", "GET, POST"),
        ("POST", "/healthz", "GET"),
        ("POST", "/readyz", "GET"),
        ("HEAD", "/model", "GET"),
    ],
)
def test_another_method_is_refused_with_those_that_are_answered(method: str, path: str, allow: str) -> None:
    response = ask(FakeService(), method, path, "", JSON, URL)
    told = problem(response)
    assert (response.status, told["code"], headers(response)["Allow"]) == (405, "method-not-allowed", allow)
    answered = "GET and POST are." if "," in allow else "GET is."
    assert told["detail"] == f"{method:.20} is not answered at {path}; {answered}"


@pytest.mark.parametrize("path", ["/nothing", "/predict/x", "/PREDICT", "", "predict", "/../healthz", "/é" * 500])
def test_another_path_is_refused_with_those_that_are_there(path: str) -> None:
    response = ask(FakeService(), "GET", path)
    if path == "":
        assert response.status == 400, "the root, without a url"
        return
    told = problem(response)
    assert (response.status, told["code"]) == (404, "not-found")
    assert told["detail"].endswith("there is at /, /predict, /healthz, /readyz, /model.")
    assert len(told["detail"]) < 250


def test_healthz_asks_nothing_of_the_model() -> None:
    def never() -> Predictor:
        raise AssertionError("asked for")

    response = ask(Service(never), "GET", "/healthz")
    assert (response.status, response.body) == (200, b'{"status":"ok"}')


def test_readyz_is_200_once_the_model_is_loaded() -> None:
    predictor = Predictor("dogs-vs-cats")
    response = ask(Service(lambda: predictor), "GET", "/readyz")
    assert (response.status, response.body) == (200, b'{"status":"ready"}')
    assert predictor._loaded is not None


def test_readyz_is_503_while_the_model_cannot_be_used() -> None:
    response = ask(Service(lambda: Predictor("no-such-model")), "GET", "/readyz/")
    assert response.status == 503
    assert problem(response)["code"] == "model-unavailable"
    assert "There is no model 'no-such-model'" in problem(response)["detail"]


@pytest.mark.parametrize(
    ("name", "about"),
    [
        (
            "dogs-vs-cats",
            {"resize": "nearest", "fit": "stretch", "crop": 1.0, "range": "unit", "dtype": "float32"},
        ),
        (
            "efficientnet-lite0",
            {"resize": "bicubic", "fit": "crop", "crop": 0.875, "range": "raw", "dtype": "uint8"},
        ),
    ],
)
def test_model_describes_what_answers(name: str, about: dict[str, Any]) -> None:
    predictor = Predictor(name)
    response = ask(Service(lambda: predictor), "GET", "/model")
    told = json.loads(response.body)
    assert list(told) == ["name", "sha256", "engine", "input", "output", "labels"]
    assert (told["name"], told["sha256"]) == (name, predictor.load().model.sha256)
    assert told["engine"] == predictor.load().engine
    assert {key: told["input"][key] for key in about} == about
    assert told["input"]["shape"][0] == 1
    assert told["input"]["shape"][3] == 3
    assert told["output"]["shape"] == [1, len(told["labels"])]
    assert told["output"]["activation"] == "none"


@pytest.mark.parametrize(
    ("given", "told"),
    [(((1.0, 2.0, 3.0), (4.0,)), {"mean": [1.0, 2.0, 3.0], "std": [4.0]}), ("", "raw"), ("caffe", "caffe")],
)
def test_model_tells_its_range(given: Any, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing says one, pixels go in as they are."""
    predictor = Predictor("dogs-vs-cats")
    loaded = predictor.load()
    monkeypatch.setattr(predictor, "_loaded", loaded._replace(model=loaded.model._replace(range=given)))
    assert json.loads(ask(Service(lambda: predictor), "GET", "/model").body)["input"]["range"] == told


def test_model_is_503_while_it_cannot_be_used() -> None:
    class Broken(FakeService):
        class Fake:
            def load(self) -> None:
                raise ModelUnavailable("No engine can run the model.")

        predictor = Fake()  # type: ignore[assignment]

    assert problem(ask(Broken(), "GET", "/model"))["code"] == "model-unavailable"
