"""The cases that every event trigger has to pass, whatever its event looks like.

A case delivers messages and looks at two things alone: which of them the platform counts as done, and what stands
in the sink afterwards. So it runs wherever a function can be given an event.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, NamedTuple, Protocol

from mlserverless.testing.world import BUCKET, TEXT, World, photo, tag_of

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


class Case(NamedTuple):
    """One thing that has to hold."""

    name: str
    run: Callable[["Bench"], None]
    applies: Callable[[Trigger], bool] = lambda _: True


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


def answered(bench: Bench) -> None:
    """A healthy message is answered, recorded with all that is to be known of it, and done."""
    message = bench.message()
    same(bench.deliver(message), [True], "done")
    (record,) = bench.records()
    fields = "key time source version request_id model sha256 options predictions"
    same(list(record), fields.split(), "the record's fields")
    same(
        bool(record["predictions"] and record["version"] and record["request_id"]), True, "answer, version and id"
    )
    same(record["source"].endswith(f"/{BUCKET}/{message.name}"), True, f"the source {record['source']}")


def delivered_twice(bench: Bench) -> None:
    """A second delivery changes nothing."""
    message = bench.message()
    same(bench.deliver_each([[message], [message]]), [[True], [True]], "done")
    same(len(bench.records()), 1, "records")


def kept_apart(bench: Bench) -> None:
    """Two objects are two results."""
    first, second = bench.message(), bench.message()
    same(bench.deliver_each([[first], [second]]), [[True], [True]], "done")
    same(len({record["key"] for record in bench.records()}), 2, "keys")


def problem_kept(bench: Bench) -> None:
    """What never will pass is recorded as a problem, and done."""
    same(bench.deliver(bench.message("text", etag=tag_of(TEXT))), [True], "done")
    same(bench.codes(), ["unsupported-media-type"], "recorded")


def problem_handed_back(bench: Bench) -> None:
    """With the log as its sink it is left to the platform's dead-letter queue, where it has one."""
    message = bench.message("text", etag=tag_of(TEXT))
    same(bench.deliver(message, sink="log:"), [not bench.trigger.dead_letters], "done")


def missing_kept(bench: Bench) -> None:
    """An object that is gone is a problem for good."""
    same(bench.deliver(bench.message("nowhere")), [True], "done")
    same(bench.codes(), ["source-not-found"], "recorded")


def stale_kept(bench: Bench) -> None:
    """An object that was overwritten since is not answered in the name of the earlier one."""
    same(bench.deliver(bench.message(etag="0" * 32)), [True], "done")
    same(bench.codes(), ["source-not-found"], "recorded")


def busy_handed_back(bench: Bench) -> None:
    """What may pass is not done and not recorded, whatever the sink."""
    for sink in (STORE, "log:"):
        same(bench.deliver(bench.message("busy"), sink=sink), [False], f"done, with the sink {sink}")
    same(bench.codes(), [], "recorded")


def flaky_answered(bench: Bench) -> None:
    """What passes at its second delivery has one result, and that is the answer."""
    message = bench.message("flaky")
    # obstore tries a store again by itself; an http origin is asked once a delivery.
    wanted = [[bool(bench.trigger.place)], [True]]
    same(bench.deliver_each([[message], [message]]), wanted, "done")
    same(bench.codes(), ["ok"], "recorded")


def malformed_kept(bench: Bench) -> None:
    """A message that cannot be read is recorded as a problem, and done."""
    same(bench.deliver(bench.message(malformed=True)), [True], "done")
    same(bench.codes(), ["invalid-request"], "recorded")


def malformed_handed_back(bench: Bench) -> None:
    """With the log as its sink it is left to the platform, where that has a dead-letter queue."""
    done = bench.deliver(bench.message(malformed=True), sink="log:")
    same(done, [not bench.trigger.dead_letters], "done")


def malformed_alone(bench: Bench) -> None:
    """One malformed message of a batch takes none of its neighbours along."""
    size = bench.trigger.batch
    messages = [bench.message(malformed=at == size // 2) for at in range(size)]
    same(bench.deliver(*messages), [True] * size, "done")
    same(bench.codes(), ["invalid-request"] + ["ok"] * (size - 1), "recorded")


def malformed_reported(bench: Bench) -> None:
    """With the log as its sink exactly the malformed one is handed back, where the platform can take it alone."""
    size = bench.trigger.batch
    messages = [bench.message(malformed=at == size // 2) for at in range(size)]
    done = bench.deliver(*messages, sink="log:")
    same(done, [not message.malformed for message in messages], "done")


def outage_handed_back(bench: Bench) -> None:
    """A result that cannot be written is not done."""
    same(bench.deliver(bench.message(), sink="file:///dev/null/nowhere"), [False], "done")


def misconfigured_handed_back(bench: Bench) -> None:
    """A wrong deployment ends no event, whatever the sink."""
    for sink in (STORE, "log:"):
        done = bench.deliver(bench.message(), sink=sink, MLSERVERLESS_MODEL="no-such-model")
        same(done, [False], f"done, with the sink {sink}")
    same(bench.codes(), [], "recorded")


def options_counted(bench: Bench) -> None:
    """Options beside the URL choose the answer, and another choice is another result."""
    message = bench.message(options={"top_k": 1})
    same(bench.deliver_each([[message], [message._replace(options={"top_k": 2})]]), [[True], [True]], "done")
    same(sorted(len(record["predictions"]) for record in bench.records()), [1, 2], "classes answered")


CASES = (
    Case("a healthy message is answered", answered),
    Case("a second delivery changes nothing", delivered_twice),
    Case("two objects are two results", kept_apart),
    Case("a problem for good is recorded", problem_kept),
    Case("a problem for good, log sink", problem_handed_back),
    Case("a missing object is recorded", missing_kept, lambda trigger: not trigger.brings),
    Case("an overwritten object is not answered", stale_kept, lambda trigger: trigger.place[:2] in ("s3", "az")),
    Case("what may pass is handed back", busy_handed_back, lambda trigger: not trigger.brings),
    Case("what passes later has one result", flaky_answered, lambda trigger: not trigger.brings),
    Case("a malformed message is recorded", malformed_kept, lambda trigger: not trigger.brings),
    Case("a malformed message, log sink", malformed_handed_back, lambda trigger: not trigger.brings),
    Case("one malformed message of a batch", malformed_alone, lambda trigger: trigger.batch > 1),
    Case(
        "one malformed message of a batch, log sink",
        malformed_reported,
        lambda trigger: trigger.batch > 1 and trigger.partial,
    ),
    Case("a store outage is handed back", outage_handed_back),
    Case("a wrong deployment is handed back", misconfigured_handed_back),
    Case(
        "options are part of the request", options_counted, lambda trigger: not (trigger.place or trigger.brings)
    ),
)


def check(case: Case, trigger: Trigger, start: Start, world: World) -> None:
    """Run ``case``; raise AssertionError, saying what differs, where it does not hold."""
    case.run(Bench(trigger, start, world))
