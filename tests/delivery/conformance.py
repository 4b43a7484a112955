"""Every trigger and shape through the providers' own runtimes."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from helpers import harness
from helpers.figures import Figure, Scale, skip
from helpers.harness import aws as lambda_http
from helpers.runtimes import REASONS, start
from helpers.shapes.process import TRIGGERS
from helpers.shapes.real import Runtimes
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing import cases, http
from mlserverless.testing.http import Answer, Ask
from mlserverless.testing.world import World

NAME, BAR = "trigger × shape cases through the conformance suite", "≥ 120, all pass on the real runtimes"


def measure(scale: Scale) -> list[Figure]:
    """Return one figure: the suite is quick enough to run whole in the shortened form, too."""
    del scale
    missing = {cloud: told for cloud in TRIGGERS if (told := REASONS[cloud]()) is not None}
    passed: Counter[str] = Counter()
    failed: list[str] = []
    with World() as world:
        for name, run in chain(
            _events(world, set(missing)), _http(world, set(missing))
        ):  # lazily: each ends its own
            try:
                run()
                passed[name.partition(":")[0]] += 1
            except Exception as error:  # noqa: BLE001 - a case that breaks is one that fails
                failed.append(f"{name}: {error}")
                print(failed[-1], file=sys.stderr)
    total = passed.total() + len(failed)
    told = f"{passed.total()} of {total} pass (" + ", ".join(f"{n} {name}" for name, n in passed.items()) + ")"
    figure = Figure(NAME, BAR, told, total >= 120 and not failed, {"passed": dict(passed), "failed": failed})
    return [figure, *(skip(f"{NAME}, {cloud}", BAR, reason) for cloud, reason in missing.items())]


def _events(world: World, missing: set[str]) -> Iterator[tuple[str, Callable[[], None]]]:
    runtimes = Runtimes()
    try:
        for cloud, triggers in {**TRIGGERS, "aws-rie": TRIGGERS["aws"]}.items():
            for trigger in () if cloud in missing else triggers:
                for case in filter(lambda case: case.applies(trigger), cases.CASES):
                    yield (
                        f"{cloud} events: {trigger.name}: {case.name}",
                        lambda c=case, t=trigger, at=cloud: cases.check(c, t, runtimes.start(at), world),
                    )
    finally:
        runtimes.close()


def _http(world: World, missing: set[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    settings = {**world.environment(), "MLSERVERLESS_MAX_BYTES": str(http.LIMIT)}
    expected = http.expected_of(Service(lambda: Predictor(max_bytes=http.LIMIT, allow_private_addresses=True)))
    with ExitStack() as stack:
        for cloud in ("aws", "azure", "gcp", "wsgi"):
            if cloud in missing:
                continue
            running = start(cloud, settings)
            stack.callback(running.close)
            for way, ask in _ways(cloud, running):
                for case in http.cases():
                    yield (
                        f"{way} http: {case.name}",
                        lambda c=case, a=ask: http.check(c.at(world.places()), a, expected),
                    )


def _ways(cloud: str, running: Any) -> Iterator[tuple[str, Ask]]:
    yield cloud, over(running.url)
    if cloud == "aws":
        for way in harness.AWS[1:]:

            def ask(
                method: str, target: str, headers: dict[str, str], body: bytes = b"", way: str = way
            ) -> Answer:
                event = lambda_http.WAYS[way](method, http.encoded(target), headers, body)
                done = running.invoke(event)
                assert not done.function_error, done.payload
                return lambda_http.answer_of(way, json.loads(done.payload))

            yield way, ask


def over(url: str) -> Ask:
    """Return an ``ask`` over HTTP."""
    at = urlsplit(url)

    def ask(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        connection = HTTPConnection(at.hostname or "", at.port, timeout=60)
        try:
            connection.request(method, http.encoded(target), body or None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, harness.lower(answer.getheaders()), answer.read())
        finally:
            connection.close()

    return ask
