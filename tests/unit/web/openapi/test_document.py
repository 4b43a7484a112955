"""The description of a function: valid OpenAPI 3.1, and what is answered is what it says."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator import validate as validate_document

import mlserverless
from helpers import detector
from helpers.fakes import fake_engine, folder
from helpers.web import JSON, ask, headers
from mlserverless import errors, options
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.types import Score
from mlserverless.web.app import ASIDE, WebApp
from mlserverless.web.openapi import document, problems
from mlserverless.web.openapi.schemas import record

PHOTO = (Path(__file__).parents[4] / "examples" / "photos" / "flower.jpg").read_bytes()
JPEG = {"content-type": "image/jpeg"}


def told(predictor: Predictor) -> dict[str, Any]:
    """Return the document as it is sent, found valid."""
    made: dict[str, Any] = json.loads(json.dumps(document(predictor, predictor.load())))
    validate_document(made, cls=OpenAPIV31SpecValidator)
    return made


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor("dogs-vs-cats", max_batch=3, max_bytes=400_000, allow_private_addresses=True)


@pytest.fixture(scope="module")
def made(predictor: Predictor) -> dict[str, Any]:
    return told(predictor)


def resolved(made: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        *_, kind, name = node["$ref"].split("/")
        node = made["components"][kind][name]
    return node


def faults(made: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": made["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in made["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method.upper(), operation


def test_it_is_valid_and_says_whose_it_is(made: dict[str, Any]) -> None:
    assert made["openapi"].startswith("3.1.")
    assert made["info"]["version"] == mlserverless.__version__
    assert "dogs-vs-cats" in made["info"]["title"]
    assert made["servers"][0]["url"] == ".", "relative: it holds behind any prefix"


def test_every_operation_has_a_name_a_tag_and_its_problems(made: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(made)]
    assert len(names) == len(set(names)) == 17
    tags = {tag["name"] for tag in made["tags"]}
    for path, _, operation in operations(made):
        assert set(operation["tags"]) <= tags
        assert operation["summary"]
        if not path.startswith("/v2"):
            assert {"200", "406", "500"} <= set(operation["responses"]), path


def test_paths_and_methods_are_those_of_the_web_app(made: dict[str, Any]) -> None:
    """And no method that is not told is answered."""
    app = WebApp(Service(lambda: Predictor("dogs-vs-cats")))
    ours = {path: set(methods) for path, (methods, _) in app._routes.items()}
    ours |= {path: set(methods) for path, (methods, _) in ASIDE.items() if methods and path != "/metrics"}
    found: dict[str, set[str]] = {}
    for path, method, _ in operations(made):
        if not path.startswith("/v2"):
            found.setdefault(path, set()).add(method)
    assert found == ours
    for path in made["paths"]:
        if "{" not in path:
            allow = headers(ask(Service(Predictor), "OPTIONS", path))["Allow"].split(", ")
            assert set(allow) - {"HEAD", "OPTIONS"} == {method.upper() for method in made["paths"][path]}


def test_options_are_those_that_are_read_within_the_same_bounds(made: dict[str, Any]) -> None:
    found = {name: made["components"]["parameters"][name]["schema"] for name in options.READERS}
    assert found["top_k"] == {"type": "integer", "minimum": 1, "maximum": 1000}
    assert found["score_threshold"] == {"type": "number", "minimum": -1e9, "maximum": 1e9}
    assert found["labels_allow"] == {"type": "array", "items": {"type": "string", "enum": ["dog"]}}
    assert found["model"] == {"type": "string", "enum": ["dogs-vs-cats"]}
    assert made["components"]["parameters"]["labels_deny"]["explode"] is False


def test_settings_in_force_are_told(made: dict[str, Any]) -> None:
    body = made["paths"]["/predict"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["oneOf"][1]["properties"]["urls"]["maxItems"] == 3
    assert "400,000 bytes" in body["description"]
    assert {kind for kind in body["content"] if kind.startswith("image/")} == {
        "image/jpeg",
        "image/png",
        "image/webp",
    }
    gif = told(Predictor("dogs-vs-cats", formats=["gif"], page=False))
    assert "image/gif" in gif["paths"]["/"]["post"]["requestBody"]["content"]
    assert "text/html" not in gif["paths"]["/"]["get"]["responses"]["200"]["content"]
    assert "text/html" in made["paths"]["/"]["get"]["responses"]["200"]["content"]


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ({"url": "https://x.example/1"}, True),
        ({"url": "https://x.example/1", "top_k": 3, "labels_allow": "cat, dog", "model": None}, True),
        ({"urls": ["https://x.example/1", 5, None]}, True),
        ({"url": "https://x.example/1", "score_threshold": 0.5, "labels_deny": []}, True),
        ({}, False),
        ({"url": ""}, False),
        ({"url": 5}, False),
        ({"url": "u", "urls": ["u"]}, False),
        ({"urls": []}, False),
        ({"urls": ["u"] * 4}, False),
        ({"url": "u", "top_k": 0}, False),
        ({"url": "u", "top_k": "3"}, False),
        ({"url": "u", "top_k": 2.5}, False),
        ({"url": "u", "score_threshold": True}, False),
        ({"url": "u", "size": 1}, False),
        ({"url": "u", "model": "none"}, False),
        ([], False),
    ],
)
def test_a_body_is_right_where_it_is_accepted(
    made: dict[str, Any], predictor: Predictor, body: Any, right: bool
) -> None:
    schema = made["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert (faults(made, schema, body) == []) is right
    response = ask(Service(lambda: predictor), "POST", "/predict", "", JSON, json.dumps(body).encode())
    assert (response.status != 400) is (right and (body or {}).get("url") != "u")


def answered(made: dict[str, Any], service: Service, method: str, path: str, *more: Any) -> list[str]:
    """Return what is wrong with the answer, by the description of it."""
    response = ask(service, method, path, *more)
    answer = resolved(made, made["paths"][path][method.lower()]["responses"][str(response.status)])
    found = headers(response)
    wrong = [
        name
        for name, header in answer["headers"].items()
        if resolved(made, header).get("required") and name not in found
    ]
    for name, value in found.items():
        if name in answer["headers"]:
            schema = resolved(made, answer["headers"][name])["schema"]
            wrong += faults(made, schema, int(value) if schema.get("type") == "integer" else value)
    if response.body:
        schema = answer["content"][found["Content-Type"].partition(";")[0]]["schema"]
        wrong += faults(made, schema, json.loads(response.body))
    return wrong


@pytest.mark.parametrize(
    "request_",
    [
        ("POST", "/predict", "", JPEG, PHOTO),
        ("POST", "/", "top_k=1", JPEG, PHOTO),
        ("POST", "/predict", "", JPEG, PHOTO[:3000]),
        ("POST", "/predict", "", JPEG, b"no image"),
        ("POST", "/predict", "", JPEG, bytes(400_001)),
        ("POST", "/predict", "", {"content-type": "video/mp4"}, b"x"),
        ("POST", "/predict", "", JSON, b"{"),
        ("POST", "/predict", "", JSON, b'{"urls": ["ftp://x.example", 5, "http://[::1]:9/"]}'),
        ("GET", "/predict", "url=file:///etc/passwd"),
        ("GET", "/predict", "url=http://127.0.0.1:9/x"),
        ("GET", "/healthz"),
        ("GET", "/healthz", "", {"accept": "image/png"}),
        ("GET", "/readyz"),
        ("GET", "/model"),
        ("GET", "/model", "model=none"),
        ("GET", "/model", "", {"if-none-match": "*"}),
        ("GET", "/openapi.json"),
    ],
    ids=lambda one: " ".join(map(str, one[:3])),
)
def test_what_is_answered_is_what_is_told(
    made: dict[str, Any], predictor: Predictor, request_: tuple[Any, ...]
) -> None:
    assert answered(made, Service(lambda: predictor), *request_) == []


def test_examples_are_right_themselves(made: dict[str, Any]) -> None:
    content = made["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    for example in content["examples"].values():
        assert faults(made, content["schema"], example["value"]) == []
    for name, schema in made["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            assert faults(made, {"$ref": f"#/components/schemas/{name}"}, example) == [], name


def test_every_problem_of_the_errors_is_told_as_it_is(made: dict[str, Any]) -> None:
    schemas = made["components"]["schemas"]
    kinds = problems.kinds()
    assert {kind.code for kind in kinds} >= {"invalid-request", "internal", "not-acceptable", "overloaded"}
    for kind in kinds:
        properties = schemas[kind.__name__]["properties"]
        assert (properties["code"], properties["status"]) == ({"const": kind.code}, {"const": kind.status})
    assert schemas["Overloaded"]["properties"]["retryable"] == {"const": True}
    assert schemas["SourceError"]["properties"]["retryable"] == {"type": "boolean"}, "it depends"
    assert schemas["SourceNotFound"]["properties"]["retryable"] == {"const": False}
    busy = made["components"]["responses"]["ModelUnavailableOrOverloaded"]
    assert "Retry-After" in busy["headers"]
    assert resolved(made, made["paths"]["/predict"]["get"]["responses"]["503"]) == busy


def test_an_error_of_somebody_elses_is_not_ours_to_tell() -> None:
    class Theirs(errors.MlserverlessError):
        code = "theirs"

    assert Theirs not in problems.kinds()


def test_a_record_becomes_a_closed_object() -> None:
    made = record(Score)
    assert made["required"] == ["label", "index", "score"]
    assert made["additionalProperties"] is False
    assert made["properties"]["label"] == {"type": "string"}


def test_of_several_models_any_answer_may_come() -> None:
    made = told(Predictor("dogs-vs-cats", models=["small=efficientnet-lite0"]))
    assert len(made["components"]["schemas"]["Prediction"]["oneOf"]) == 3
    assert made["components"]["parameters"]["model"]["schema"]["enum"] == ["dogs-vs-cats", "small"]
    assert made["components"]["parameters"]["labels_allow"]["schema"]["items"] == {"type": "string"}


def test_of_many_labels_one_is_an_example() -> None:
    labels = told(Predictor("efficientnet-lite0"))["components"]["parameters"]["labels_allow"]["schema"]["items"]
    assert labels == {"type": "string", "examples": ["tench"]}


def test_metrics_are_told_where_they_are_on(made: dict[str, Any]) -> None:
    scraped = told(Predictor("dogs-vs-cats", telemetry="prometheus"))
    assert set(scraped["paths"]["/metrics"]["get"]["responses"]) == {"200", "404"}
    assert "/metrics" not in made["paths"]


def test_a_detectors_answers_are_told(tmp_path: Path) -> None:
    data = detector.model()
    (tmp_path / "model.tflite").write_bytes(data)
    pinned = f'sha256 = "{sha256(data).hexdigest()}"'
    (tmp_path / "model.toml").write_text(f'{pinned}\n[input]\nlayout = "nhwc"\nrange = "unit"\n')
    predictor = Predictor(tmp_path)
    made = told(predictor)
    assert set(made["components"]["schemas"]) >= {"Detections", "Detection", "Box"}
    assert "Classification" not in made["components"]["schemas"]
    service = Service(lambda: predictor)
    for request in (("POST", "/predict", "", JPEG, PHOTO), ("GET", "/model")):
        assert answered(made, service, *request) == []


def test_of_raw_tensors_nothing_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch)
    predictor = Predictor(folder(tmp_path / "mine", 'task = "raw"'))
    made = told(predictor)
    assert set(made["components"]["parameters"]) == {"model", "X-Request-Id", "traceparent", "If-None-Match"}
    for request in (("POST", "/predict", "", JPEG, PHOTO), ("GET", "/model")):
        assert answered(made, Service(lambda: predictor), *request) == []


def test_without_its_model_a_function_is_not_described() -> None:
    response = ask(Service(lambda: Predictor("no-such-model")), "GET", "/openapi.json")
    assert (response.status, json.loads(response.body)["code"]) == (503, "model-unavailable")
