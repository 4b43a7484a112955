"""Which paths and methods are answered, and what stands beside the prediction: health, readiness, the model."""

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import fake_engine, folder
from helpers.services import FakeService
from helpers.web import JSON, URL, ask, headers, problem
from mlserverless import certificate
from mlserverless.engines import Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import Input
from mlserverless.predictor import Predictor
from mlserverless.serving import Service


@pytest.mark.parametrize(
    ("method", "path", "methods"),
    [
        *[(method, "/predict", "GET, POST") for method in ("PUT", "DELETE", "PATCH", "TRACE", "get", "x" * 99)],
        ("PUT", "/", "GET, POST"),
        ("POST", "/healthz", "GET"),
        ("POST", "/readyz", "GET"),
        ("PUT", "/model", "GET"),
        ("POST", "/openapi.json", "GET"),
    ],
)
def test_another_method_is_refused_with_those_that_are_answered(method: str, path: str, methods: str) -> None:
    response = ask(FakeService(), method, path, "", JSON, URL)
    told = problem(response)
    assert (response.status, told["code"]) == (405, "method-not-allowed")
    assert headers(response)["Allow"] == f"{methods}, HEAD, OPTIONS"
    answered = "GET and POST are." if "," in methods else "GET is."
    assert told["detail"] == f"{method:.20} is not answered at {path}; {answered}"


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/", "GET, POST"), ("/predict/", "GET, POST"), ("/healthz", "GET"), ("/model", "GET"), ("/v2", "GET")],
)
def test_options_tells_the_methods_and_asks_nothing_of_the_model(path: str, methods: str) -> None:
    service = FakeService()
    response = ask(service, "OPTIONS", path, "", {"accept": "text/html"})
    assert (response.status, response.body) == (204, b"")
    found = headers(response)
    assert found["Allow"] == f"{methods}, HEAD, OPTIONS"
    assert found["X-Request-Id"] == "platform-id"
    assert "Content-Type" not in found
    assert service.requests == []


def test_options_below_v2_tells_the_one_method_of_each_path() -> None:
    infer = ask(FakeService(), "OPTIONS", "/v2/models/fake/infer")
    assert (infer.status, headers(infer)["Allow"]) == (204, "POST, OPTIONS")
    assert headers(ask(FakeService(), "OPTIONS", "/v2/health/live"))["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["/nothing", "/v2/nothing"])
def test_options_of_another_path_is_not_found(path: str) -> None:
    assert problem(ask(FakeService(), "OPTIONS", path))["code"] == "not-found"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/predict", "url=https://x.example/1"),
        ("/healthz", ""),
        ("/readyz", ""),
        ("/", ""),
        ("/nothing", ""),
        ("/predict", "nothing=1"),
    ],
)
def test_head_is_get_without_the_body(path: str, query: str) -> None:
    """Also of a problem; a prediction is made for it, since nothing less can tell its status."""
    service = FakeService()
    got, head = (ask(service, method, path, query, {"x-request-id": "a"}) for method in ("GET", "HEAD"))
    assert (head.status, head.headers, head.body) == (got.status, got.headers, b"")
    assert head.length == len(got.body) > 0
    assert len(service.requests) == (2 if "url" in query else 0)
    assert got.length == -1, "only an answer without its body says how long that is"


def test_head_of_what_is_only_posted_to_is_refused() -> None:
    response = ask(FakeService(), "HEAD", "/v2/models/fake/infer")
    assert (response.status, response.body) == (405, b"")
    assert headers(response)["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("path", ["/nothing", "/predict/x", "/PREDICT", "", "predict", "/../healthz", "/é" * 500])
def test_another_path_is_refused_with_those_that_are_there(path: str) -> None:
    response = ask(FakeService(), "GET", path)
    if path == "":
        assert response.status == 400, "the root, without a url"
        return
    told = problem(response)
    assert (response.status, told["code"]) == (404, "not-found")
    assert "there is at /, /predict, /healthz, /readyz, /model, /openapi.json, /v2" in told["detail"]
    assert len(told["detail"]) < 300


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
    assert list(told) == ["name", "sha256", "task", "engine", "input", "outputs", "output", "labels"]
    assert told["task"] == "classify"
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
    monkeypatch.setattr(
        predictor, "_loaded", loaded._replace(model=loaded.model._replace(input=Input(range=given)))
    )
    assert json.loads(ask(Service(lambda: predictor), "GET", "/model").body)["input"]["range"] == told


def described(path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, **more: Any) -> dict[str, Any]:
    fake_engine(monkeypatch, **more)
    predictor = Predictor(folder(path / "mine", toml))
    return dict(json.loads(ask(Service(lambda: predictor), "GET", "/model").body))


def test_model_tells_all_that_decides_what_is_fed_and_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Tensor("x", (1, 3, 2, 2), "int8", 0.5, -3, alias="pixels")
    scores = Tensor("y", (1, 3), "uint8", 0.25, alias="probabilities")
    features = Tensor("z", (1, 7, 7, 2), "float32")
    toml = """labels = "labels.txt"
        signature = "serve"
        [input]
        channels = "bgr"
        fit = "crop"
        crop = 0.875
        range = "raw"
        [output]
        scores = "probabilities"
        activation = "sigmoid"
        """
    told = described(tmp_path, monkeypatch, toml, inputs=(image,), outputs=(features, scores))
    assert told["signature"] == "serve"
    assert told["input"] == {
        "name": "pixels",
        "shape": [1, 3, 2, 2],
        "dtype": "int8",
        "quantization": {"scale": 0.5, "zero_point": -3},
        "layout": "nchw",
        "channels": "bgr",
        "resize": "bilinear",
        "resizer": "pillow",
        "fit": "crop",
        "crop": 0.875,
        "range": "raw",
    }
    assert told["outputs"] == [
        {"name": "z", "shape": [1, 7, 7, 2], "dtype": "float32"},
        {
            "name": "probabilities",
            "shape": [1, 3],
            "dtype": "uint8",
            "quantization": {"scale": 0.25, "zero_point": 0},
        },
    ]
    assert told["output"] == {
        "scores": "probabilities",
        "activation": "sigmoid",
        "offset": 0,
        "shape": [1, 3],
        "dtype": "uint8",
    }
    assert told["labels"] == ["cat", "dog", "owl"]
    assert "certificate" not in told


def test_model_tells_which_outputs_a_detection_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {"s": (1, 9), "b": (1, 9, 4), "n": (1,), "c": (1, 9)}
    outputs = tuple(Tensor(name, shape, "float32") for name, shape in shapes.items())
    toml = 'labels = "labels.txt"\n[output]\nclasses = "c"\noffset = -1'
    told = described(tmp_path, monkeypatch, toml, outputs=outputs)
    roles = {"boxes": "b", "classes": "c", "scores": "s", "count": "n"}
    assert (told["task"], told["output"]) == ("detect", {**roles, "activation": "none", "offset": -1})
    assert [output["name"] for output in told["outputs"]] == list(shapes)


def test_model_of_raw_tensors_has_no_output_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = described(tmp_path, monkeypatch, 'task = "raw"')
    assert list(told) == ["name", "sha256", "task", "engine", "input", "outputs", "labels"]
    assert (told["task"], told["labels"]) == ("raw", [])


def test_model_tells_its_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor("dogs-vs-cats")
    loaded = predictor.load()
    fits = {"model": loaded.model.sha256, "pipeline": certificate.pipeline(loaded.model), "date": "2026-11-28"}
    for given, certified in ((fits, True), ({**fits, "pipeline": "0" * 64}, False)):
        model = loaded.model._replace(certificate=tuple(given.items()))
        monkeypatch.setattr(predictor, "_loaded", loaded._replace(model=model))
        told = json.loads(ask(Service(lambda: predictor), "GET", "/model").body)
        assert (told["certificate"], told["certified"]) == (given, certified)


def test_model_is_asked_of_by_name_where_there_are_several() -> None:
    both = Predictor("dogs-vs-cats", models=["small=efficientnet-lite0"])
    first, second, none = (
        ask(Service(lambda: both), "GET", "/model", query) for query in ("", "model=small", "model=large")
    )
    told = json.loads(second.body)
    assert json.loads(first.body)["name"] == "dogs-vs-cats"
    assert told["name"] == "efficientnet-lite0"
    assert told["models"] == json.loads(first.body)["models"] == ["dogs-vs-cats", "small"]
    assert none.status == 400
    assert problem(none)["detail"] == "'large' is not a model of this function; models are dogs-vs-cats, small."


def test_model_is_503_while_it_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(deadline: object = None) -> None:
        raise ModelUnavailable("No engine can run the model.")

    service = FakeService()
    monkeypatch.setattr(service.fake, "load", load)
    assert problem(ask(service, "GET", "/model"))["code"] == "model-unavailable"
