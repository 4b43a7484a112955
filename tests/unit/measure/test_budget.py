"""A budget for the cold start."""

import pytest

from helpers import measured
from mlserverless.measure import budget
from mlserverless.measure.spread import Stage, spread


def test_within_the_budget_is_kept_also_when_it_is_met_exactly() -> None:
    verdict = budget.judge(measured.cold(), 100.0)
    assert verdict.kept
    assert verdict.told == "within the budget: 100 ms of 100 ms from process start to the first answer"


def test_over_it_the_largest_part_is_named_with_what_to_try() -> None:
    verdict = budget.judge(measured.cold(), 80.0)
    assert (verdict.kept, verdict.took, verdict.budget) == (False, 100.0, 80.0)
    assert "100 ms from process start to the first answer, 20 ms more than 80 ms." in verdict.told
    assert "The largest part is 'model: compile <b>' with 50 ms: a quantised model" in verdict.told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("interpreter start", ".pth files"),
        ("import the function", "mlserverless build"),
        ("model: read, sha256", "quantise"),
        ("download", "region"),
        ("preprocess", "uint8"),
        ("something new", "docs/how-to/measure-a-function.md"),
    ],
)
def test_every_part_has_an_advice(name: str, told: str) -> None:
    cold = measured.cold()._replace(stages=(Stage(name, spread([99.0])),))
    assert told in budget.judge(cold, 1.0).told
