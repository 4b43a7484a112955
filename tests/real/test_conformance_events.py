"""The cases of every trigger, through the providers' own runtimes."""

from collections.abc import Callable, Iterator

import pytest

from helpers.runtimes import REASONS
from helpers.shapes.process import TRIALS
from helpers.shapes.real import Runtimes
from mlserverless.testing.cases import Case, check
from mlserverless.testing.events import Trigger
from mlserverless.testing.world import World

pytestmark = pytest.mark.real


# Lambda's events through AWS's own emulator, too.
EMULATED = [("aws-rie", trigger, case) for cloud, trigger, case in TRIALS if cloud == "aws"]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as running:
        yield running


@pytest.fixture(scope="module")
def runtimes() -> Iterator[Runtimes]:
    started = Runtimes()
    yield started
    started.close()


@pytest.mark.parametrize(
    ("cloud", "trigger", "case"), TRIALS + EMULATED, ids=lambda part: part if isinstance(part, str) else part.name
)
def test_every_trigger_passes_every_case(
    cloud: str, trigger: Trigger, case: Case, world: World, runtimes: Runtimes, need: Callable[[str | None], None]
) -> None:
    need(REASONS[cloud]())
    check(case, trigger, runtimes.start(cloud), world)
