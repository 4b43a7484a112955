"""One malformed item in a batch of ten, at every place in it, on every trigger that delivers batches."""

import sys

from helpers.figures import Figure, Scale, skip
from helpers.runtimes import REASONS
from helpers.shapes.process import TRIGGERS
from helpers.shapes.real import Runtimes
from mlserverless.testing.events import Bench, same
from mlserverless.testing.world import World

NAME, BAR = "one malformed item in a batch of 10", "the other 9 answered, 1 reported, on every batch trigger"
SIZE = 10


def measure(scale: Scale) -> list[Figure]:
    """Return the figure: every place, or three of them in the shortened form, in the real runtimes."""
    places = range(SIZE) if not scale.short else (0, 4, 9)
    found: dict[str, str] = {}
    failed: dict[str, str] = {}
    runtimes = Runtimes()
    missing = {cloud: told for cloud in TRIGGERS if (told := REASONS[cloud]()) is not None}
    try:
        with World() as world:
            for cloud, triggers in TRIGGERS.items():
                for trigger in (one for one in triggers if one.batch > 1 and cloud not in missing):
                    bench = Bench(trigger._replace(batch=SIZE), runtimes.start(cloud), world)
                    try:
                        for place in places:
                            _once(bench, place)
                        found[f"{cloud}: {trigger.name}"] = f"{len(places)} places"
                    except AssertionError as error:
                        failed[f"{cloud}: {trigger.name}"] = str(error)
                        print(f"{cloud}: {trigger.name}: {error}", file=sys.stderr)
    finally:
        runtimes.close()
    told = f"{len(found)} of {len(found) + len(failed)} batch triggers, the bad one at {len(places)} places each"
    figure = Figure(NAME, BAR, told, bool(found) and not failed, {"held": found, "failed": failed})
    return [figure, *(skip(f"{NAME}, {cloud}", BAR, reason) for cloud, reason in missing.items())]


def _once(bench: Bench, place: int) -> None:
    before = len(bench.records())
    messages = [bench.message(malformed=at == place) for at in range(SIZE)]
    same(bench.deliver(*messages), [True] * SIZE, f"done, the bad one at {place}")
    new = bench.records()
    same(len(new) - before, SIZE, "records")
    reported = [record for record in new if "problem" in record]
    answered = {record["source"].rpartition("/")[2] for record in new if "predictions" in record}
    same({m.name for m in messages if not m.malformed} <= answered, True, "the other nine are answered")
    same({record["problem"]["code"] for record in reported}, {"invalid-request"}, "reported")
    # With the log as the sink the platform is told of it: of the one alone, where it can take one alone.
    done = bench.deliver(*(bench.message(malformed=at == place) for at in range(SIZE)), sink="log:")
    if bench.trigger.partial:
        same(done, [at != place for at in range(SIZE)], "handed back")
    else:
        same(done, [not bench.trigger.dead_letters] * SIZE, "handed back")
