"""A request's options: one set of rules, whoever reads them."""

from typing import Any

import pytest

from mlserverless.errors import InvalidRequest
from mlserverless.options import read_options
from mlserverless.readers import shown
from mlserverless.types import Options


def test_nothing_given_is_nothing_chosen() -> None:
    assert read_options({}) == Options()
    assert read_options({"top_k": None, "labels_deny": None}) == Options()


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"top_k": "3"}, Options(top_k=3)),
        ({"top_k": 1000}, Options(top_k=1000)),
        ({"score_threshold": "-0.5"}, Options(score_threshold=-0.5)),
        ({"score_threshold": 0}, Options(score_threshold=0.0)),
        ({"labels_allow": "tiger cat, owl"}, Options(labels_allow=("tiger cat", "owl"))),
        ({"labels_allow": ["a, b"]}, Options(labels_allow=("a, b",))),
        ({"labels_deny": []}, Options(labels_deny=())),
    ],
)
def test_json_and_query_values_read_the_same(given: dict[str, Any], read: Options) -> None:
    assert read_options(given) == read


def test_unknown_option_names_itself_and_the_known() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_options({"topk": 1})
    assert str(caught.value) == (
        "'topk' is not an option; options are top_k, score_threshold, labels_allow, labels_deny, model."
    )


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("top_k", 0, "a whole number from 1 to 1,000"),
        ("top_k", 1.5, "a whole number from 1 to 1,000"),
        ("top_k", True, "a whole number from 1 to 1,000"),
        ("top_k", {}, "a whole number from 1 to 1,000"),
        ("score_threshold", "high", "a number from"),
        ("score_threshold", 10**400, "a number from"),
        ("score_threshold", float("nan"), "a number from"),
        ("labels_allow", 5, "a list of labels"),
        ("labels_deny", [1], "a list of labels"),
    ],
)
def test_bad_value_names_option_value_and_what_is_accepted(name: str, value: Any, accepted: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_options({name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} is {shown(value)}, which is not accepted: give {accepted}")


def test_huge_value_is_shown_shortened() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_options({"top_k": "x" * 100_000})
    assert len(str(caught.value)) < 200
