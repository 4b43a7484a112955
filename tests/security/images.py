"""Pillow's own test images, as they are and made wrong, and the largest legal ones, through the whole path."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from helpers.figures import Figure, Scale, skip
from mlserverless.formats import DEFAULT_FORMATS, sniff
from security.largest import largest
from security.memory import MB, unmeasurable
from security.mutants import mutants
from security.pillowimages import images
from security.worker import Outcome, Worker

NAME, BAR = "Pillow's own test images + mutants, default formats", "0 crashes, 0 unmapped, each ≤ 2 s and ≤ 256 MB"
SECONDS, BYTES = 2.0, 256 * MB
MUTANTS, SHORTENED = 10_000, 600
SEED = 20_261_123
WARNINGS = ("ignore", "error")  # one worker with each: a warning that is raised is no other case
Case = tuple[str, bytes]


def run(cases: Iterable[Case], warnings: str) -> list[tuple[str, Outcome]]:
    """Return what became of each case, in one worker after the other where one dies."""
    worker, found = Worker(warnings), []
    for name, data in cases:
        outcome = worker.prepare(data, DEFAULT_FORMATS)
        if outcome.seconds > SECONDS and not outcome.said.startswith("crash"):
            outcome = worker.prepare(data, DEFAULT_FORMATS, times=3)  # the machine may have been busy
        refused = "unsupported-media-type" if data else "undecodable-image"
        if sniff(data) not in DEFAULT_FORMATS and outcome.said != refused:
            outcome = outcome._replace(said=f"unmapped: {outcome.said}")
        found.append((name, outcome))
    worker.close()
    return found


def measure(scale: Scale) -> list[Figure]:
    """Measure the one figure."""
    try:
        paths = images()
    except (RuntimeError, OSError) as error:
        return [skip(NAME, BAR, str(error))]
    every = [(path.name, path.read_bytes()) for path in paths]
    known = [case for case in every if sniff(case[1]) in DEFAULT_FORMATS]
    made = list(mutants(known, scale.of(MUTANTS, SHORTENED), SEED))
    originals = known if scale.short else every
    legal = list(islice(largest(), scale.of(100, 5)))
    halves = [originals + legal + made[0::2], originals + made[1::2]]
    with ThreadPoolExecutor(2) as pool:
        found = [outcome for half in pool.map(run, halves, WARNINGS) for outcome in half]
    refused = [
        (name, outcome.said) for name, outcome in found if name in dict(legal) and outcome.said != "decoded"
    ]
    if refused:
        return [Figure(NAME, BAR, "the largest legal images are refused", details={"refused": refused})]
    return [_figure(found, len(originals), len(made))]


def _figure(found: list[tuple[str, Outcome]], originals: int, made: int) -> Figure:
    crashes = [(name, outcome.said) for name, outcome in found if outcome.said.startswith("crash")]
    unmapped = [(name, outcome.said) for name, outcome in found if outcome.said.startswith("unmapped")]
    slowest = max(found, key=lambda one: one[1].seconds)
    fattest = max(found, key=lambda one: one[1].bytes)
    slow = [(name, round(outcome.seconds, 2)) for name, outcome in found if outcome.seconds > SECONDS]
    fat = [(name, outcome.bytes // MB) for name, outcome in found if outcome.bytes > BYTES]
    reason = unmeasurable()
    memory = f"not measured: {reason}" if reason else f"at most {fattest[1].bytes / MB:.0f} MB"
    measured = (
        f"{originals:,} images, {made:,} mutants: {len(crashes)} crashes, {len(unmapped)} unmapped, "
        f"{len(slow)} slow, {len(fat)} fat; at most {slowest[1].seconds:.2f} s, {memory}"
    )
    details = {
        "outcomes": dict(Counter(outcome.said.split(":")[0] for _, outcome in found)),
        "crashes": crashes,
        "unmapped": unmapped,
        "slow": slow,
        "fat": fat,
        "slowest": (slowest[0], round(slowest[1].seconds, 3), slowest[1].said),
        "fattest": (fattest[0], round(fattest[1].bytes / MB, 1), fattest[1].said),
        "largest": {
            name: f"{outcome.bytes / MB:.0f} MB in {outcome.seconds:.2f} s"
            for name, outcome in found
            if name.startswith("largest ")
        },
        "seed": SEED,
    }
    return Figure(NAME, BAR, measured, not (crashes or unmapped or slow or fat), details)
