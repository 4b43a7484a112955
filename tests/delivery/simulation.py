"""Fifty thousand events through each trigger family, with faults: none lost, none twice, none left unanswered."""

import json
import random
import sys
from collections import Counter
from typing import Any
from unittest import mock

import obstore

from delivery.faults import Faults, Predictor, Store
from delivery.platforms import FAMILIES, Family, deliver
from helpers.figures import Figure, Scale
from helpers.shapes.process import MAKE
from mlserverless import stores
from mlserverless.adapters.azure import events as azure_events
from mlserverless.serving import Service
from mlserverless.testing.events import Message

SEED = 20261125
MOST_ATTEMPTS = 1.25


def measure(scale: Scale) -> list[Figure]:
    """Return the two figures: what became of the events, and how many deliveries it took."""
    # The short run ends before the first outage. An event that ends every process costs 20 deliveries of a batch
    # of 10: one in 1,000 events, where the mix has 0.2 of them, may alone be more than the bar leaves.
    count = scale.of(50_000, 3_000)
    told = {family.name: _run(family, count, f"{SEED} {family.name}") for family in FAMILIES}
    sums = Counter[str]()
    for name, found in told.items():
        sums.update({key: found[key] for key in ("events", "lost", "twice", "unanswered")})
        print(f"{name}: {found}", file=sys.stderr)
    attempts = {name: found["attempts"] for name, found in told.items()}
    worst = max(attempts, key=lambda name: attempts[name])
    held = sums["lost"] == sums["twice"] == sums["unanswered"] == 0
    words = f"{sums['lost']} lost, {sums['twice']} twice, {sums['unanswered']} unanswered"
    return [
        Figure(
            "events delivered at least once through each trigger family with injected faults",
            f"{count:,} a family: 0 lost, 0 duplicate results, 0 healthy dead-lettered unanswered",
            f"{words} of {sums['events']:,} in {len(told)} families",
            held,
            told,
        ),
        Figure(
            "attempts an event under the fault mix",
            f"≤ {MOST_ATTEMPTS}",
            f"{attempts[worst]:.3f} at most ({worst}), {sum(attempts.values()) / len(attempts):.3f} on average",
            attempts[worst] <= MOST_ATTEMPTS,
            attempts,
        ),
    ]


def _run(family: Family, count: int, seed: str) -> dict[str, Any]:
    faults, rng = Faults(seed), random.Random(seed)
    store, predictor = Store(faults), Predictor(faults)
    messages = [_message(family, number, faults, rng) for number in range(count)]

    def sleep(seconds: float) -> None:
        faults.now += seconds

    make: Any = lambda: predictor  # noqa: E731
    # What the adapters log is not wanted a hundred thousand times.
    with (
        mock.patch.object(stores, "_store", return_value=store),
        mock.patch.object(azure_events, "sleep", sleep),
        mock.patch("mlserverless.recording.log"),
    ):
        service = Service(make, write=lambda line: None)
        result = deliver(family, messages, MAKE[family.cloud](service), faults, rng)
    return _count(family, messages, store, result.deliveries, {message.name for message in result.dead})


def _message(family: Family, number: int, faults: Faults, rng: random.Random) -> Message:
    kind, malformed = "photo", False
    if (drawn := rng.random()) < faults.poison:
        malformed = drawn < faults.poison / 2
        kind = "text"
    elif family.dead_letters and rng.random() < faults.killers:
        kind = "killer"
    name = f"{kind}-{number}.jpg"
    place = family.stages[0].trigger.place or "https://example.com/images"
    return Message(f"message-{number}", name, f"{place}/{name}", "0" * 32, malformed)


def _count(
    family: Family, messages: list[Message], store: Store, deliveries: int, dead: set[str]
) -> dict[str, Any]:
    answers, problems = Counter[str](), Counter[str]()
    objects = [item for page in obstore.list(store.memory) for item in page]
    for item in objects:
        record = json.loads(bytes(obstore.get(store.memory, item["path"]).bytes()))
        (answers if "predictions" in record else problems)[record["source"].rpartition("/")[2]] += 1
    healthy = {message.name for message in messages if message.name.startswith("photo")}
    unreadable = sum(message.malformed for message in messages)
    texts = {message.name for message in messages if message.name.startswith("text") and not message.malformed}
    killers = {message.name for message in messages if message.name.startswith("killer")}
    return {
        "events": len(messages),
        # Neither an answer, nor, for what has none, a problem's record or a place in the dead-letter queue.
        "lost": len(healthy - answers.keys() - dead)
        + len(texts - problems.keys())
        + abs(unreadable - problems[""])
        + len(killers - dead),
        "twice": sum(answers.values())
        - len(answers)
        + sum(problems[name] - 1 for name in texts if problems[name]),
        "unanswered": len((healthy & dead) - answers.keys()),
        "dead-lettered": len(dead),
        "poison": unreadable + len(texts),
        "killers": len(killers),
        "attempts": round(deliveries / len(messages), 4),
        "writes offered": store.offered,
        "results": len(objects),
        "family": family.cloud,
    }
