"""The suite holds a good adapter for good, and finds each way in which a bad one loses or doubles events."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.events import Part, decode, message, parts
from mlserverless.recording import hand_back, lasting, serve
from mlserverless.serving import Redeliver, Service
from mlserverless.testing.cases import CASES, Case, check
from mlserverless.testing.events import Message, Reply, Trigger
from mlserverless.testing.world import World
from mlserverless.types import Outcome, Request

Event = list[tuple[str, Any]]


class Queue:
    """A trigger whose event is a list of messages; its reply names those that failed."""

    def split(self, event: Event) -> Sequence[Part]:
        return [part for name, body in event for part in parts(name, message.read(body, name))]

    decode: Callable[[Part], Request] = staticmethod(decode)

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> list[str]:
        return [outcome.item.message for outcome in failed]


class Swallows(Queue):
    """Says that all is done."""

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> list[str]:
        return []


class TakesNeighboursAlong(Queue):
    """Fails as a whole where one of its messages cannot be read."""

    def split(self, event: Event) -> Sequence[Part]:
        found = list(super().split(event))
        if any(not isinstance(part.found, Request) for part in found):
            raise Redeliver("a whole batch")
        return found


class ForgetsTheId(Queue):
    """Names each delivery anew."""

    def split(self, event: Event) -> Sequence[Part]:
        return [part for _, body in event for part in parts("x", message.read(body, os.urandom(8).hex()))]


class DropsWhatFails(Queue):
    """Hands back what may pass, and counts the rest as done whatever the sink."""

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> list[str]:
        return [outcome.item.message for outcome in failed if not lasting(outcome.result)]


class AllOrNothing(Queue):
    """A platform that takes an event back as a whole."""

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> list[str]:
        hand_back(outcomes, failed)
        return []


def make(messages: Sequence[Message]) -> Event:
    return [(one.id, "Hello!" if one.malformed else {"url": one.url, **one.options}) for one in messages]


def named(messages: Sequence[Message], reply: Reply) -> list[bool]:
    return [not reply.raised and one.id not in reply.value for one in messages]


TRIGGER = Trigger("queue", make, named, batch=10, partial=True)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as running:
        yield running


def start(kind: type[Queue]) -> Callable[[Mapping[str, str]], Any]:
    @contextmanager
    def started(environment: Mapping[str, str]) -> Iterator[Any]:
        with mock.patch.dict(os.environ, environment):
            stores._store.cache_clear()
            service = Service()

            class Function:
                def invoke(self, trigger: Trigger, event: Any) -> Reply:
                    try:
                        return Reply(serve(kind(), event, service, Deadline(30)), raised=False)
                    except Exception as error:  # noqa: BLE001 - as a platform sees it
                        return Reply(str(error), raised=True)

            yield Function()

    return started


@pytest.mark.parametrize("case", [case for case in CASES if case.applies(TRIGGER)], ids=lambda case: case.name)
def test_a_good_one_passes(case: Case, world: World) -> None:
    check(case, TRIGGER, start(Queue), world)


def test_a_good_one_that_takes_events_as_a_whole_passes(world: World) -> None:
    trigger = TRIGGER._replace(partial=False, batch=10)
    for case in CASES:
        if case.applies(trigger):
            check(case, trigger, start(AllOrNothing), world)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (
            Swallows,
            {"a problem for good, log sink", "what may pass is handed back", "a store outage is handed back"},
        ),
        (Swallows, {"a wrong deployment is handed back", "a malformed message, log sink"}),
        (TakesNeighboursAlong, {"one malformed message of a batch", "a malformed message is recorded"}),
        (ForgetsTheId, {"a second delivery changes nothing"}),
        (DropsWhatFails, {"a problem for good, log sink", "one malformed message of a batch, log sink"}),
    ],
)
def test_a_bad_one_is_found(kind: type[Queue], found: set[str], world: World) -> None:
    for case in CASES:
        if case.name in found:
            with pytest.raises(AssertionError):
                check(case, TRIGGER, start(kind), world)


def test_every_case_says_what_has_to_hold() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 16
    assert all(case.run.__doc__ for case in CASES)
