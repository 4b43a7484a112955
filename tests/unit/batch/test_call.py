"""One call of a fan-out, made here: plain values in, plain values out."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlserverless import Predictor, __version__
from mlserverless.batch import call
from mlserverless.batch.engine import Stopped

PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
ASKED: dict[str, Any] = {
    "version": __version__,
    "settings": {"model": "efficientnet-lite0", "top_k": 2},
    "options": {"top_k": 1},
    "workers": 1,
    "downloads": 2,
    "retry": (0, 0.1, 0.1),
    "items": [],
}


def test_each_item_is_answered_as_the_predictor_answers_it() -> None:
    photo, nowhere = str(PHOTOS / "flower.jpg"), str(PHOTOS / "nowhere.jpg")
    got = call.answer({**ASKED, "items": [(4, photo, True), (5, nowhere, True)]})
    assert json.loads(json.dumps(got)).keys() == {"identity", "done"}
    name, sha256, chosen = got["identity"]
    assert (name, len(sha256), chosen["top_k"]) == ("efficientnet-lite0", 64, 1)
    first, second = got["done"]
    assert first == (4, photo, Predictor().predict(Path(photo), top_k=1).to_dict(), 1)
    assert (second[0], second[2]["code"], second[2]["instance"]) == (5, "source-not-found", "5")


def test_what_ends_the_run_is_told_as_a_value() -> None:
    got = call.answer({**ASKED, "settings": {"model": "no-such-model"}})
    code, text = got["stopped"]
    assert code == "model-unavailable"
    assert "no-such-model" in text


def test_another_version_on_the_other_side_is_told() -> None:
    code, text = call.answer({**ASKED, "version": "0.0.0"})["stopped"]
    assert code == "misconfigured"
    assert f"has mlserverless {__version__}, and this machine 0.0.0" in text


def test_the_engine_is_let_go_of_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    class Broken:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def open(self) -> None:
            raise Stopped("internal", "it died")

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(call, "Local", Broken)
    assert call.answer(ASKED) == {"stopped": ("internal", "it died")}
    assert closed == [True]
