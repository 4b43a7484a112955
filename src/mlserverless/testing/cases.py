"""The cases that every event trigger has to pass, whatever its event looks like."""

from collections.abc import Callable
from typing import NamedTuple

from mlserverless.testing.events import STORE, Bench, Start, Trigger, same
from mlserverless.testing.world import BUCKET, TEXT, World, tag_of


class Case(NamedTuple):
    """One thing that has to hold."""

    name: str
    run: Callable[["Bench"], None]
    applies: Callable[[Trigger], bool] = lambda _: True


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
