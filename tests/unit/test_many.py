"""Many images from Python: in order, side by side, taken as they are needed, problems among the answers."""

import threading
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from mlserverless import Prediction, Predictor, Problem
from mlserverless.errors import ConfigError, InvalidRequest, ModelUnavailable, SourceNotFound
from mlserverless.many import AHEAD, predict_many

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"


def found(name: str) -> Prediction:
    return Prediction(name, "0a", ())


def test_the_answers_are_the_predictors_in_order() -> None:
    predictor = Predictor("dogs-vs-cats")
    sources = [PHOTOS / name for name in ("china.jpg", "none.jpg", "flower.jpg", "china.jpg")]
    first, problem, third, last = predictor.predict_many(sources, workers=2, top_k=1)
    for answer, source in ((first, sources[0]), (third, sources[2]), (last, sources[0])):
        assert isinstance(answer, Prediction)
        assert answer.to_dict() == predictor.predict(source, top_k=1).to_dict()
    assert isinstance(problem, Problem)
    assert (problem.code, problem.retryable) == ("source-not-found", False)
    assert problem.to_dict("7")["instance"] == "7"


def test_a_slow_one_does_not_hold_up_the_others_and_keeps_its_place() -> None:
    others = threading.Event()

    def predict(source: int, **_: Any) -> Prediction:
        if source == 0:
            assert others.wait(10)
        if source == 3:
            others.set()
        return found(str(source))

    answers = predict_many(predict, range(8), 2, None, {})
    assert [answer.model for answer in answers if isinstance(answer, Prediction)] == [str(n) for n in range(8)]


def test_sources_are_taken_as_answers_are_asked_for() -> None:
    taken = []

    def endless() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    answers = predict_many(lambda source, **_: found(str(source)), endless(), 3, None, {})
    assert taken == []
    assert len(list(islice(answers, 50))) == 50
    assert len(taken) <= 50 + 3 * AHEAD


def test_who_asks_for_no_more_ends_the_threads() -> None:
    answers = predict_many(lambda source, **_: found(str(source)), count(), 3, None, {})
    next(answers)
    answers.close()  # type: ignore[attr-defined]  # a generator
    end = time.monotonic() + 5
    while any(thread.name.startswith("mlserverless-many") for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_each_image_has_the_time_and_the_options() -> None:
    given = []

    def predict(source: str, **options: Any) -> Prediction:
        given.append((source, options))
        return found(source)

    list(predict_many(predict, ["a"], 1, 2.5, {"top_k": 3}))
    assert given == [("a", {"timeout": 2.5, "top_k": 3})]


@pytest.mark.parametrize(
    "error", [ConfigError("top_k is wrong."), ModelUnavailable("It is gone."), KeyError("a bug")]
)
def test_what_no_other_image_would_do_better_is_raised(error: Exception) -> None:
    def predict(source: str, **_: Any) -> Prediction:
        raise error

    with pytest.raises(type(error)):
        list(predict_many(predict, ["a", "b"], 1, None, {}))


def test_an_error_keeps_what_it_says() -> None:
    def predict(source: str, **_: Any) -> Prediction:
        raise SourceNotFound(f"There is no {source}.")

    (problem,) = predict_many(predict, ["a"], 1, None, {})
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code, problem.detail) == (404, "source-not-found", "There is no a.")


def test_what_would_be_wrong_for_every_image_is_told_at_once() -> None:
    predictor = Predictor("dogs-vs-cats")
    with pytest.raises(InvalidRequest, match="top_k is 0"):
        predictor.predict_many([], top_k=0)
    with pytest.raises(ValueError, match="workers is 0: give 1 or more threads"):
        predictor.predict_many([], workers=0)
