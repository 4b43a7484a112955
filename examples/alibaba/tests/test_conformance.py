"""The whole conformance suite of mlserverless: HTTP and every trigger."""

from collections.abc import Iterator

import pytest
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing import cases, events, http
from mlserverless.testing.world import World

from harness import TRIGGERS, asking, start

TRIALS = [(trigger, case) for trigger in TRIGGERS for case in cases.CASES if case.applies(trigger)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as running:
        yield running


@pytest.fixture(scope="module")
def service() -> Service:
    predictor = Predictor(max_bytes=http.LIMIT, allow_private_addresses=True, concurrency=1, threads=1)
    return Service(lambda: predictor)


@pytest.mark.parametrize("case", http.cases(), ids=lambda case: case.name)
def test_http(case: http.Case, world: World, service: Service) -> None:
    http.check(case.at(world.places()), asking(service), http.expected_of(service))


@pytest.mark.parametrize(("trigger", "case"), TRIALS, ids=lambda part: part.name)
def test_events(trigger: events.Trigger, case: cases.Case, world: World) -> None:
    cases.check(case, trigger, start, world)
