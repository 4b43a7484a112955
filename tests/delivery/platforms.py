"""How the platforms deliver, by their documentation: what is delivered again, when, how often, and what then.

A stand-in of ours, since no platform's own delivery can be had here; the adapters that it delivers to are the real
ones. Time is virtual, in seconds.
"""

import heapq
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from delivery.faults import Crash, Faults
from helpers.shapes import aws, azure, cloudevents, gcp
from mlserverless.testing.events import Message, Reply, Trigger

Answer = Callable[[Any], Any]


class Stage(NamedTuple):
    """One way an event is delivered, until it is done or ``most`` deliveries are over.

    ``delay`` is what passes between the ``n``-th delivery and the next. ``ordered``: a partition's events come in
    order, and behind one that fails all wait. ``rest``: what comes behind a failed one is delivered again, too.
    """

    trigger: Trigger
    batch: int
    most: float
    delay: Callable[[int], float]
    ordered: bool = False


class Family(NamedTuple):
    """A trigger family: its stages, the last one's end being the dead-letter queue."""

    name: str
    cloud: str
    stages: tuple[Stage, ...]

    @property
    def dead_letters(self) -> bool:
        """Whether it has a dead-letter queue, so that an event which crashes every process can end."""
        return self.stages[-1].most != float("inf")


class Result(NamedTuple):
    """What became of the events: how many deliveries there were, and which events were dead-lettered."""

    deliveries: int
    dead: list[Message]


def named(triggers: Sequence[Trigger], name: str) -> Trigger:
    return next(trigger for trigger in triggers if trigger.name == name)


def doubling(first: float, longest: float) -> Callable[[int], float]:
    return lambda attempt: min(longest, first * 2 ** (attempt - 1))


def asynchronous(messages: Sequence[Message]) -> dict[str, Any]:
    """Return what the queue of failed asynchronous events delivers: the events, one in each message."""
    (record,) = aws.payload("aws/sqs")["Records"]
    return {"Records": [{**record, "messageId": one.id, "body": aws.s3_text(one)} for one in messages]}


INFINITE = float("inf")
SQS = named(aws.TRIGGERS, "SQS, url with options")
QUEUE = named(aws.TRIGGERS, "SQS, S3 notification")
S3 = named(aws.TRIGGERS, "S3 notification")
# The delays and counts are those of the deploy folders where they set them, else the platforms' defaults.
FAMILIES = (
    Family("SQS, batch 1", "aws", (Stage(SQS, 1, 20, lambda _: 360.0),)),
    Family("SQS, batch 10", "aws", (Stage(QUEUE, 10, 20, lambda _: 360.0),)),
    Family(
        "S3 notification, asynchronous",
        "aws",
        (
            Stage(S3, 1, 3, lambda attempt: 60.0 * attempt),
            Stage(Trigger("retries", asynchronous, QUEUE.done, batch=10, partial=True), 1, 10, lambda _: 360.0),
        ),
    ),
    Family(
        "Kinesis", "aws", (Stage(named(aws.TRIGGERS, "Kinesis"), 10, INFINITE, doubling(1, 60), ordered=True),)
    ),
    Family("Queue Storage", "azure", (Stage(named(azure.TRIGGERS, "Queue Storage"), 1, 5, lambda _: 60.0),)),
    Family("Service Bus", "azure", (Stage(named(azure.TRIGGERS, "Service Bus"), 1, 10, lambda _: 0.0),)),
    Family(
        "Event Grid",
        "azure",
        (Stage(named(azure.TRIGGERS, "Event Grid, BlobCreated"), 1, 30, doubling(10, 3600)),),
    ),
    Family(
        "Event Hubs",
        "azure",
        (Stage(named(azure.TRIGGERS, "Event Hubs"), 10, INFINITE, doubling(2, 300), ordered=True),),
    ),
    Family(
        "Pub/Sub push",
        "wsgi",
        (
            Stage(
                Trigger("push", cloudevents.at("/events", gcp.raw(storage=False, counted=True)), gcp.by_status),
                1,
                10,
                doubling(10, 600),
            ),
        ),
    ),
    Family("Eventarc", "gcp", (Stage(named(gcp.TRIGGERS, "Cloud Storage, binary"), 1, 20, doubling(10, 600)),)),
    Family(
        "CloudEvents (Knative)",
        "wsgi",
        (Stage(named(cloudevents.TRIGGERS, "CloudEvent, binary"), 1, 10, doubling(1, 60)),),
    ),
)


def deliver(
    family: Family, messages: Sequence[Message], answer: Answer, faults: Faults, rng: random.Random
) -> Result:
    """Deliver ``messages`` until each is done or dead-lettered; in whatever order, some of them twice."""
    if family.stages[0].ordered:
        return _stream(family.stages[0], messages, answer, faults, rng)
    due: list[tuple[float, int, int, int, Message]] = []  # time, tie-breaker, stage, attempt, message
    for at, message in enumerate(messages):
        for copy in range(2 if rng.random() < faults.twice else 1):
            heapq.heappush(due, (at * faults.spacing + rng.uniform(0, 2) + copy * 5, len(due), 0, 1, message))
    dead: list[Message] = []
    deliveries, number = 0, len(due)
    while due:
        first = heapq.heappop(due)
        faults.now = max(faults.now, first[0])
        stage = family.stages[first[2]]
        batch = [first]
        while len(batch) < stage.batch and due and due[0][0] <= faults.now + 1 and due[0][2] == first[2]:
            batch.append(heapq.heappop(due))
        rng.shuffle(batch)
        deliveries += len(batch)
        done = _invoke(stage.trigger, [entry[4] for entry in batch], answer, faults, rng)
        for (_, _, at, attempt, message), passed in zip(batch, done, strict=True):
            number += 1
            if passed:
                continue
            if attempt < stage.most:
                again = faults.now + stage.delay(attempt)
                heapq.heappush(due, (again, number, at, attempt + 1, message))
            elif at + 1 < len(family.stages):
                heapq.heappush(due, (faults.now, number, at + 1, 1, message))
            else:
                dead.append(message)
    return Result(deliveries, dead)


def _stream(
    stage: Stage, messages: Sequence[Message], answer: Answer, faults: Faults, rng: random.Random
) -> Result:
    """Deliver by partition, in order: behind what fails all wait."""
    deliveries = 0
    partitions = [list(messages[at::4]) for at in range(4)]
    for partition in partitions:
        for at in range(0, len(partition), 100):  # a producer that was not answered sends again, at times
            if rng.random() < faults.twice * 100:
                partition.insert(min(len(partition), at + rng.randrange(100)), partition[at])
        faults.now, position, attempt = 0.0, 0, 1
        while position < len(partition):
            batch = partition[position : position + stage.batch]
            faults.now = max(faults.now + faults.spacing, position * 4 * faults.spacing)
            deliveries += len(batch)
            done = _invoke(stage.trigger, batch, answer, faults, rng)
            passed = done.index(False) if False in done else len(batch)
            position += passed
            attempt = 1 if passed else attempt + 1
            faults.now += stage.delay(attempt) if passed < len(batch) else 0.0
            assert attempt < 1000, "an event that never passes blocks its partition"
    return Result(deliveries, [])


def _invoke(
    trigger: Trigger, messages: list[Message], answer: Answer, faults: Faults, rng: random.Random
) -> list[bool]:
    """Return which messages the platform counts as done."""
    event = trigger.make(messages)
    if rng.random() < faults.crash_at_start:
        return [False] * len(messages)
    try:
        reply = Reply(answer(event), raised=False)
    except Crash:
        return [False] * len(messages)
    except Exception:  # noqa: BLE001 - what a function raises hands its event back
        reply = Reply(None, raised=True)
    if rng.random() < faults.crash_before_ack:
        return [False] * len(messages)
    return trigger.done(messages, reply)
