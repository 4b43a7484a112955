"""Every trigger of every adapter passes the same cases."""

from collections.abc import Iterator

import pytest

from helpers.shapes.process import TRIALS, start
from mlserverless.testing.cases import Case, check
from mlserverless.testing.events import Trigger
from mlserverless.testing.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as running:
        yield running


@pytest.mark.parametrize(
    ("cloud", "trigger", "case"), TRIALS, ids=lambda part: part if isinstance(part, str) else part.name
)
def test_every_trigger_passes_every_case(cloud: str, trigger: Trigger, case: Case, world: World) -> None:
    check(case, trigger, start(cloud), world)


def test_the_suite_is_as_large_as_it_is_said_to_be() -> None:
    """A trigger that is taken out of its list would pass by not being asked."""
    assert len(TRIALS) > 400
