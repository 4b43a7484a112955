"""What a case of the suite is made of: messages, a trigger that makes its platform's events of them, a function.

A case delivers messages and looks at two things alone: which of them the platform counts as done, and what stands
in the sink afterwards. So it runs wherever a function can be given an event.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, NamedTuple, Protocol

from mlserverless.testing.world import World, photo, tag_of

_numbers = count(1)
STORE = "store"  # a sink that keeps work: the world's folder


class Message(NamedTuple):
    """One message of an event: the object ``name`` of the world's bucket, or, malformed, none.

    ``url`` is where it lies; ``etag`` what the platform says of its content. ``options`` are beside the URL, where
    a message can say such.
    """

    id: str
    name: str
    url: str
    etag: str = ""
    malformed: bool = False
    options: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple default is never written to


class Reply(NamedTuple):
    """What became of an event: what the function returned, or that it raised."""

    value: Any
    raised: bool


class Trigger(NamedTuple):
    """One way in. ``make`` makes the platform's event of messages, ``done`` reads which of them count as done.

    ``place`` is where its messages' objects lie: ``""`` where they may lie anywhere. ``batch`` is how many
    messages an event may have; ``partial`` whether some of them may be done and others not. ``dead_letters`` is
    false where the platform has no place for what never passes, so that the log has to do. ``brings`` is true
    where the event brings the object's bytes along.
    """

    name: str
    make: Callable[[Sequence[Message]], Any]
    done: Callable[[Sequence[Message], Reply], list[bool]]
    place: str = ""
    batch: int = 1
    partial: bool = False
    dead_letters: bool = True
    brings: bool = False


class Function(Protocol):
    """A function in some runtime."""

    def invoke(self, trigger: Trigger, event: Any) -> Reply:
        """Give it one event of ``trigger``."""


Start = Callable[[dict[str, str]], AbstractContextManager[Function]]
"""Starts a function with an environment; leaving the context ends it. One function may serve several calls."""


class Bench:
    """A trigger, a way to start its function, and the world."""

    def __init__(self, trigger: Trigger, start: Start, world: World) -> None:
        self.trigger, self._start, self._world = trigger, start, world
        self._before = set(world.records())

    def message(self, kind: str = "photo", **fields: Any) -> Message:
        """Return a new message about an object of its own, of one of the kinds that the world has."""
        number, place = next(_numbers), self.trigger.place
        name = f"{kind}-{number}.jpg"
        url = f"{place}/{name}" if place else self._world.at(name)
        return Message(f"message-{number}", name, url, **{"etag": tag_of(photo()), **fields})

    def deliver(self, *messages: Message, sink: str = STORE, **settings: str) -> list[bool]:
        """Deliver ``messages`` in one event; return which count as done."""
        return self.deliver_each([messages], sink, **settings)[0]

    def deliver_each(
        self, events: Sequence[Sequence[Message]], sink: str = STORE, **settings: str
    ) -> list[list[bool]]:
        """Deliver several events to one function, one after the other."""
        where = self._world.sink if sink == STORE else sink
        environment = {**self._world.environment(), "MLSERVERLESS_SINK": where, **settings}
        done = []
        with self._start(environment) as function:
            for messages in events:
                reply = function.invoke(self.trigger, self.trigger.make(messages))
                done.append(self.trigger.done(messages, reply))
        return done

    def records(self) -> list[dict[str, Any]]:
        """Return what this case added to the sink."""
        return [record for key, record in self._world.records().items() if key not in self._before]

    def codes(self) -> list[str]:
        """Return each record's problem code, ``ok`` for an answer, sorted."""
        return sorted(record["problem"]["code"] if "problem" in record else "ok" for record in self.records())


def same(found: object, wanted: object, what: str) -> None:
    """Raise AssertionError, telling both, unless ``found`` is ``wanted``."""
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")
