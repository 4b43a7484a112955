"""An .onnx model keeps the wire contract on every cloud, and answers what numpy does."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import harness, onnxmodel
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing import http
from mlserverless.testing.world import World, photo

SIDE = 32
LABELS = ("sand", "grass", "sea", "sky", "snow")
TOML = 'labels = "labels.txt"\n[input]\nrange = "unit"\n[output]\nscores = "scores"\n'


@pytest.fixture(scope="module")
def places() -> Iterator[http.Places]:
    with World() as world:
        yield world.places()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service with an NCHW model whose first output is a label, as a converter from scikit-learn writes it."""
    folder: Path = tmp_path_factory.mktemp("model") / "land"
    folder.mkdir()
    (folder / "model.toml").write_text(TOML)
    (folder / "labels.txt").write_text("\n".join(LABELS))
    (folder / "model.onnx").write_bytes(onnxmodel.classifier(("n", 3, SIDE, SIDE), batch="n", also="int64"))
    predictor = Predictor(
        str(folder), max_bytes=http.LIMIT, allow_private_addresses=True, concurrency=1, threads=1
    )
    return Service(lambda: predictor)


@pytest.fixture(scope="module")
def expected(service: Service) -> Callable[[http.Case], bytes]:
    return http.expected_of(service)


@pytest.mark.parametrize("cloud", harness.CLOUDS)
def test_every_adapter_answers_as_the_web_app_does(
    cloud: str, places: http.Places, service: Service, expected: Callable[[http.Case], bytes]
) -> None:
    asked = harness.make(cloud, service)
    for case in http.cases():
        http.check(case.at(places), asked.ask, expected)


@pytest.mark.parametrize("cloud", harness.CLOUDS)
def test_the_answer_is_the_models_own(cloud: str, service: Service) -> None:
    """Not only equal: right."""
    answer = json.loads(harness.make(cloud, service).ask("POST", "/", http.JPEG, photo()).body)
    pixels = Image.open(io.BytesIO(photo())).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    logits = (np.asarray(pixels, np.float32) / 255).mean((0, 1)) @ onnxmodel.weights()
    powers = np.exp(logits - logits.max())
    scores = powers / powers.sum()
    order = sorted(range(len(LABELS)), key=lambda i: -scores[i])
    assert answer["model"] == "land"
    assert [(one["label"], one["index"]) for one in answer["predictions"]] == [(LABELS[i], i) for i in order]
    np.testing.assert_allclose([one["score"] for one in answer["predictions"]], scores[order], atol=0.01)
