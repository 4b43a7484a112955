"""The protocol's paths as OpenAPI: valid, and what is answered is what they say."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from helpers.fakes import IMAGE, fake_engine
from helpers.tensors import PIXELS, infer, request, service
from helpers.web import ask
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web.inference_described import paths


def described(found: Service) -> dict[str, Any]:
    predictor: Predictor = found.predictor
    told = paths(predictor.settings, predictor.load())
    validate({"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": told})
    return told


def answered(operation: dict[str, Any], status: int = 200) -> Any:
    return operation["responses"][str(status)]["content"]["application/json"]["schema"]


def check(value: Any, schema: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(value)


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    fake_engine(monkeypatch)
    return service(tmp_path)


def test_every_path_answers_what_it_says(found: Service) -> None:
    version = found.predictor.load().model.sha256[:12]
    told = described(found)
    assert len(told) == 9
    for path, item in told.items():
        at = path.replace("{model_name}", "fake").replace("{model_version}", version)
        for method, operation in item.items():
            if method == "get":
                response = ask(found, "GET", at)
                assert response.status == 200
                check(json.loads(response.body), answered(operation))
            elif method == "post":
                response = infer(found, request(id="1"), path=at)
                check(json.loads(response.body), answered(operation))
                refused = infer(found, {}, path=at)
                check(json.loads(refused.body), answered(operation, refused.status))


def test_operations_have_names_of_their_own(found: Service) -> None:
    names = [
        item[method]["operationId"]
        for item in described(found).values()
        for method in ("get", "post")
        if method in item
    ]
    assert len(names) == len(set(names)) == 9


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (request(), True),
        (request(PIXELS * 16, (16, 2, 2, 3), id="x", outputs=[{"name": "scores"}]), True),
        (request(..., in_parameters={"binary_data_size": 12}, parameters={"binary_data_output": True}), True),
        (request(outputs=[{"name": "scores", "parameters": {"classification": 3}}]), True),
        (request(in_name="x"), False),
        (request(in_datatype="FP32"), False),
        (request(in_shape=[17, 2, 2, 3]), False),
        (request(in_shape=[1, 2, 2]), False),
        (request(outputs=[{"name": "x"}]), False),
        (request(id=1), False),
        (request(parameters=[]), False),
        ({"inputs": []}, False),
        ({}, False),
    ],
)
def test_the_schema_takes_what_the_function_takes(value: Any, valid: bool, found: Service) -> None:
    operation = described(found)["/v2/models/{model_name}/infer"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert jsonschema.Draft202012Validator(schema).is_valid(value) is valid
    behind = b"" if not value.get("inputs") or "data" in value["inputs"][0] else bytes(12)
    assert (infer(found, value, behind).status == 200) is valid


def test_of_several_models_only_what_holds_for_all_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine(monkeypatch)
    service(tmp_path / "two")
    told = described(service(tmp_path / "one", models=f"other={tmp_path / 'two'}"))
    item = told["/v2/models/{model_name}/versions/{model_version}/infer"]
    assert item["parameters"][0]["schema"] == {"type": "string", "enum": ["fake", "other"]}
    assert item["parameters"][1]["schema"] == {"type": "string"}
    schema = item["post"]["requestBody"]["content"]["application/json"]["schema"]
    check(request(in_name="x", in_datatype="FP32", in_shape=[5]), schema)


def test_a_model_that_takes_one_at_a_time_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine(monkeypatch, inputs=(IMAGE._replace(shape=(2, 2, 3)),))
    operation = described(service(tmp_path))["/v2/models/{model_name}/infer"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    check(request(in_shape=[2, 2, 3]), schema)
    assert not jsonschema.Draft202012Validator(schema).is_valid(request(in_shape=[1, 2, 3]))
