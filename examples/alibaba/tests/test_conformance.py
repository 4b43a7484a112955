"""The whole conformance suite of mlserverless: HTTP and every trigger."""

from collections.abc import Callable, Iterator
from urllib.parse import unquote

import pytest
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing import events, http
from mlserverless.testing.world import World
from mlserverless.web.app import WebApp
from mlserverless.web.http import HttpRequest

from harness import TRIGGERS, asking, start

TRIALS = [(trigger, case) for trigger in TRIGGERS for case in events.CASES if case.applies(trigger)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as running:
        yield running


@pytest.fixture(scope="module")
def service() -> Service:
    predictor = Predictor(max_bytes=http.LIMIT, allow_private_addresses=True, concurrency=1, threads=1)
    return Service(lambda: predictor)


@pytest.fixture(scope="module")
def expected(service: Service) -> Callable[[http.Case], bytes]:
    """What plain Python answers: the web app itself."""
    app = WebApp(service)

    def body(case: http.Case) -> bytes:
        path, _, query = case.target.partition("?")
        headers = {name.lower(): value for name, value in case.headers.items()} | {"x-request-id": http.ID}
        return app(HttpRequest(case.method, unquote(path), query, headers, case.body)).body

    return body


@pytest.mark.parametrize("case", http.cases(), ids=lambda case: case.name)
def test_http(case: http.Case, world: World, service: Service, expected: Callable[[http.Case], bytes]) -> None:
    http.check(case.at(world.places()), asking(service), expected)


@pytest.mark.parametrize(("trigger", "case"), TRIALS, ids=lambda part: part.name)
def test_events(trigger: events.Trigger, case: events.Case, world: World) -> None:
    events.check(case, trigger, start, world)
