"""The Open Inference Protocol's paths: health, metadata, versions, methods, errors."""

import json
from pathlib import Path
from typing import Any

import pytest

import mlserverless
from helpers.fakes import fake_engine
from helpers.tensors import INFER, PIXELS, error, infer, request, service
from helpers.web import ask, headers
from mlserverless import naming
from mlserverless.deadline import Deadline
from mlserverless.engines import Tensor
from mlserverless.errors import NotFound
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web import inference_protocol
from mlserverless.web.http import HttpResponse

MODEL = "/v2/models/fake"


def body(response: HttpResponse) -> Any:
    assert response.status == 200, response.body
    assert headers(response)["Content-Type"] == "application/json"
    return json.loads(response.body)


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_tells_its_version_and_extensions_and_asks_nothing_of_the_model(path: str) -> None:
    assert body(ask(Service(_never), "GET", path)) == {
        "name": "mlserverless",
        "version": mlserverless.__version__,
        "extensions": ["binary_tensor_data", "classification"],
    }


def _never() -> Predictor:
    raise AssertionError("asked for")


def test_it_lives_whatever_the_model_is() -> None:
    assert body(ask(Service(lambda: Predictor("no-such-model")), "GET", "/v2/health/live")) == {"live": True}


def test_it_is_ready_once_all_models_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    found = service(tmp_path / "one", models=f"other={tmp_path / 'two'}")
    told = error(ask(found, "GET", "/v2/health/ready"))
    assert "two" in told, "one of them is missing"
    service(tmp_path / "two")
    assert body(ask(found, "GET", "/v2/health/ready/")) == {"live": True, "ready": True}
    assert all(found.predictor.named(name).loaded for name in ("fake", "other"))


def test_it_is_not_ready_while_a_model_cannot_be_used() -> None:
    response = ask(Service(lambda: Predictor("no-such-model")), "GET", "/v2/health/ready")
    assert response.status == 503
    assert "There is no model 'no-such-model'" in error(response)


def test_wrong_settings_are_told_in_the_protocols_form() -> None:
    response = ask(Service(lambda: Predictor(top_k="many")), "GET", MODEL)
    assert response.status == 500
    assert "top_k is 'many'" in error(response)


def test_a_model_tells_its_tensors_and_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    found = service(tmp_path)
    version = found.predictor.load().model.sha256[:12]
    told = body(ask(found, "GET", MODEL))
    assert told == {
        "name": "fake",
        "versions": [version],
        "platform": "tensorflow_tflite",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 2, 2, 3]}],
        "outputs": [{"name": "scores", "datatype": "UINT8", "shape": [-1, 3]}],
    }
    for given in (version, found.predictor.load().model.sha256):
        assert body(ask(found, "GET", f"{MODEL}/versions/{given}")) == told
        assert body(ask(found, "GET", f"{MODEL}/versions/{given}/ready/")) == {"name": "fake", "ready": True}
    assert body(ask(found, "GET", f"{MODEL}/ready")) == {"name": "fake", "ready": True}


@pytest.mark.parametrize("version", ["1", "", "a", "0" * 12, "0" * 64])
def test_another_version_is_not_found(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    found = service(tmp_path)
    response = ask(found, "GET", f"{MODEL}/versions/{version}/ready")
    assert response.status == 404
    version = found.predictor.load().model.sha256[:12]
    assert error(response).endswith(f"it is {version}, as /v2/models/fake tells.")


def test_another_model_is_not_found_with_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine(monkeypatch)
    service(tmp_path / "two")
    found = service(tmp_path / "one", models=f"second.one={tmp_path / 'two'}")
    for path in ("/v2/models/none", "/v2/models/fake/x", "/v2/models/none/infer"):
        response = ask(found, "POST" if path.endswith("infer") else "GET", path)
        assert response.status == 404
        assert error(response).endswith("is not a model of this function; models are fake, second.one.")
    assert body(ask(found, "GET", "/v2/models/second.one"))["name"] == "second.one"
    told = infer(found, request(), path="/v2/models/second.one/infer")
    assert body(told)["model_name"] == "second.one"


def test_the_first_model_is_called_as_slash_model_tells_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model at a URL that name is known only when it is loaded."""
    fake_engine(monkeypatch)
    found = service(tmp_path)
    monkeypatch.setattr(naming, "name_of", lambda _: "weights")
    for name in ("weights", "fake"):
        assert body(ask(found, "GET", f"/v2/models/{name}"))["name"] == name
    assert error(ask(found, "GET", "/v2/models/none")).endswith("models are weights.")


@pytest.mark.parametrize("path", ["/v2/nothing", "/v2/models", "/v2/models/", "/v2/health", "/v2/health/x"])
def test_another_path_is_not_found(path: str) -> None:
    response = ask(Service(_never), "GET", path)
    assert response.status == 404
    assert "there is at /v2, /v2/health/live" in error(response)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", INFER, "POST"), ("PUT", INFER, "POST"), ("POST", MODEL, "GET"), ("DELETE", "/v2", "GET")],
)
def test_another_method_is_refused_with_the_one_that_is_answered(method: str, path: str, allow: str) -> None:
    response = ask(Service(_never), method, path)
    assert response.status == 405
    assert error(response) == f"{method} is not answered at this path; {allow} is."
    assert allow in headers(response)["Allow"].split(", ")


def test_the_methods_are_told() -> None:
    assert inference_protocol.methods("/v2/") == ("GET",)
    assert inference_protocol.methods(f"{INFER}/") == ("POST",)
    assert inference_protocol.methods("/v2/models/a/versions/b/infer") == ("POST",)
    with pytest.raises(NotFound):
        inference_protocol.methods("/v2/x")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/octet-stream", "text/html, */*;q=0.1"])
def test_both_of_its_types_are_acceptable(accept: str) -> None:
    assert ask(Service(_never), "GET", "/v2", "", {"accept": accept}).status == 200


def test_who_accepts_neither_is_told() -> None:
    response = ask(Service(_never), "GET", "/v2", "", {"accept": "text/html"})
    assert response.status == 406
    assert "text/html" in error(response)


def test_an_answer_has_the_callers_ids_and_tells_its_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = fake_engine(monkeypatch)
    found = service(tmp_path)
    value = json.dumps(request(id="42")).encode()
    response = ask(found, "POST", INFER, "", {"x-request-id": "order-66"}, value)
    version = found.predictor.load().model.sha256[:12]
    assert response.body == (
        b'{"model_name":"fake","model_version":"%s","id":"42","outputs":[{"name":"scores","datatype":"UINT8",'
        b'"shape":[1,3],"data":[64,128,32]}]}' % version.encode()
    )
    assert headers(response)["X-Request-Id"] == "order-66"
    names = [part.partition(";")[0] for part in headers(response)["Server-Timing"].split(", ")]
    assert names == ["wait", "invoke", "total"]
    assert engine.made[0].given[-1] == bytes(PIXELS), "the tensor goes in as it is"


def test_an_answer_and_an_error_say_what_became_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the log's line about the request."""
    fake_engine(monkeypatch)
    found = service(tmp_path)
    (made,) = infer(found, request()).results
    assert (getattr(made, "model", ""), [name for name, _ in made.timings]) == ("fake", ["wait", "invoke"])  # type: ignore[union-attr]
    (told,) = infer(found, {}).results
    assert getattr(told, "code", "") == "invalid-request"


def test_what_the_model_cannot_do_in_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    found = service(tmp_path)
    found.predictor.load()
    value = json.dumps(request()).encode()
    response = ask(found, "POST", INFER, "", {}, value, deadline=Deadline(0))
    assert response.status == 504
    assert "before the model ran" in error(response)


def test_a_fault_of_ours_is_told_without_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch, answer=lambda _: 1 / 0, outputs=(Tensor("scores", (1, 3), "float32"),))
    response = infer(service(tmp_path), request())
    assert response.status == 500
    assert "the function; its log has more" in error(response)
