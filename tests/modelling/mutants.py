"""Models with metadata, made wrong in thousands of ways, and read: refused or read, never anything else, and soon.

The models are those that packages publish with metadata, the bundled one, and hand-made ones with what those
lack: locales, thresholds, calibration, groups, a detector's outputs, metadata behind the flatbuffer. Only what the
reader looks at is changed, not the weights: where it looks is recorded while it reads the model whole.
"""

import os
import queue
import random
import resource
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from helpers import graphs, modelfile
from helpers.described import whole
from helpers.figures import Figure, Scale, skip
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import archive, flatbuffer, schema
from mlserverless.metadata.read import buffer, read
from mlserverless.metadata.write import write
from modelling import collected

EACH, EACH_SHORT = 10_000, 150
LIMIT, STARTING = 5.0, 60.0  # seconds for one mutant; for its process to begin
PARALLEL = 2
MEMORY = 1 << 30  # bytes beside those that the process has
TESTS = Path(__file__).parents[1]
OFFSETS = (0, 1, 4, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF, 100_000, 100_001)


class Subject(NamedTuple):
    """A model, and the places that the reader looks at: in its own tables, in the metadata, in the archive."""

    name: str
    data: bytes
    parts: tuple[tuple[int, ...], ...]


class Told(NamedTuple):
    """How one mutant went: read, refused, uncaught, hang; the seconds that it took; what was said."""

    word: str
    seconds: float
    said: str


class Tally(NamedTuple):
    """What came of one model's mutants."""

    name: str
    tried: int
    refused: int
    uncaught: tuple[str, ...]
    hangs: tuple[str, ...]
    slowest: float


def measure(scale: Scale) -> list[Figure]:
    """Return the figure of the metadata parser."""
    number = scale.of(EACH, EACH_SHORT)
    bar = f"≥ {number:,} mutants of each model, 0 uncaught, 0 hangs"
    name = "metadata of mutants"
    found, missing = sources()
    with ThreadPoolExecutor(PARALLEL) as pool:
        tallies = list(pool.map(lambda subject: tried(subject, number), found))
    total, refused = sum(tally.tried for tally in tallies), sum(tally.refused for tally in tallies)
    uncaught, hangs = sum(len(t.uncaught) for t in tallies), sum(len(t.hangs) for t in tallies)
    slowest = max(tallies, key=lambda tally: tally.slowest)
    measured = (
        f"{total:,} of {len(tallies)} models ({refused:,} refused): {uncaught} uncaught, {hangs} hangs; "
        f"slowest {1000 * slowest.slowest:.0f} ms"
    )
    held = not uncaught and not hangs and all(tally.tried == number for tally in tallies)
    figures = [Figure(name, bar, measured, held, {"models": [tally._asdict() for tally in tallies]})]
    return figures + ([skip(f"{name} of published models", bar, missing)] if missing else [])


def sources() -> tuple[dict[str, bytes], str]:
    """Return the models to make wrong, and why those of packages are not among them, if they are not."""
    found, missing = dict(made()), ""
    bundled = collected.ROOT / "models" / "efficientnet-lite0" / "model.tflite"
    try:
        paths = {f"{model.name} ({model.source})": model.path for model in collected.models()}
    except collected.Missing as error:
        paths, missing = {"efficientnet-lite0 (bundled)": bundled}, str(error)
    for name, path in paths.items():
        data = path.read_bytes()
        if data[4:8] == b"TFL3" and read(data).present:
            found[name] = data
    return found, missing


def made() -> Iterator[tuple[str, bytes]]:
    """Yield hand-made models with what published ones lack."""
    packed = modelfile.everything()
    yield "everything", modelfile.model(packed, modelfile.FILES)
    yield "behind the flatbuffer", modelfile.model_with_outside(packed, modelfile.FILES)
    files = {"map.txt": b"cat\ndog", "de.txt": "Kätzchen\nHund".encode()}
    labels = [modelfile.file("map.txt", modelfile.VALUE_LABELS), modelfile.file("de.txt", 3, "de-AT")]
    threshold = modelfile.unit(modelfile.THRESHOLDING, {0: ("Float32", 0.5)})
    outputs = [
        {0: "location"},
        {0: "category", 6: labels},
        {0: "score", 4: [threshold], 6: labels[:1]},
        {0: "count"},
    ]
    image = modelfile.normalised([127.5], [127.5], modelfile.GRAYSCALE)
    graph = graphs.build(
        graphs.Graph(
            [graphs.T(name, (1, 2)) for name in ("image", "boxes", "kinds", "scores", "number")],
            [graphs.add("image", "image", name) for name in ("boxes", "kinds", "scores", "number")],
            ["image"],
            ["boxes", "kinds", "scores", "number"],
        )
    )
    described = modelfile.described([image], outputs)
    yield "a detector", schema.rooted(graph, flatbuffer.Table.root(graph), described) + archive.packed(files)
    texts = {"de": ["Katze", "Hund"], "en-GB": ["cat", "dog"]}
    more: dict[str, Any] = {"labels": ["cat", "dog"], "labels_by_locale": texts, "score_threshold": 0.5}
    yield "written by ours", write(graph, name="m", mean=[1, 2, 3], std=[4, 5, 6], **more)


def looked_at(data: bytes) -> tuple[tuple[int, ...], ...]:
    """Return the parts of ``data`` that reading its metadata, whole, looks at; see :class:`Subject`."""
    seen = set[int]()
    unpack = struct.unpack_from

    def noted(form: str, held: Any, at: int = 0) -> Any:
        if held is data:
            seen.update(range(at, at + struct.calcsize(form)))
        return unpack(form, held, at)

    with patch.object(flatbuffer.struct, "unpack_from", noted):
        whole(data)
    start = data.index(packed := bytes(buffer(data)))
    described, behind = range(start, start + len(packed)), range(len(archive.removed(data)), len(data))
    own = sorted(place for place in seen if place not in described and place not in behind)
    return tuple(tuple(part) for part in (own, described, behind) if part)


def mutant(subject: Subject, number: int) -> bytes:
    """Return the mutant ``number`` of ``subject``: always the same."""
    dice = random.Random(f"{subject.name} {number}")
    data = bytearray(subject.data)

    def place() -> int:
        return dice.choice(dice.choice(subject.parts))

    changes = (_bits, _bytes, _offset, _offset, _splice, _end)
    changes[number % len(changes)](data, place, dice)
    if dice.random() < 0.2:
        _bits(data, place, dice)
    return bytes(data)


def _bits(data: bytearray, place: Callable[[], int], dice: random.Random) -> None:
    for _ in range(dice.choice((1, 1, 1, 2, 4, 16))):
        if (at := place()) < len(data):
            data[at] ^= 1 << dice.randrange(8)


def _bytes(data: bytearray, place: Callable[[], int], dice: random.Random) -> None:
    for _ in range(dice.choice((1, 1, 2, 8))):
        data[place()] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))


def _offset(data: bytearray, place: Callable[[], int], dice: random.Random) -> None:
    # To itself, back, to another table, beyond the end, or a count.
    at, other = place() & ~3, place()
    value = dice.choice((*OFFSETS, other - at, at - other, len(data) - at, len(data), dice.randrange(1 << 32)))
    data[at : at + 4] = struct.pack("<I", value & 0xFFFFFFFF)


def _splice(data: bytearray, place: Callable[[], int], dice: random.Random) -> None:
    # A run written over another, or let in between.
    start, length, at = place(), dice.choice((2, 4, 8, 32, 200)), place()
    data[at : at + dice.choice((0, length))] = data[start : start + length]


def _end(data: bytearray, place: Callable[[], int], dice: random.Random) -> None:
    del data[place() :]


def tried(subject: str, number: int) -> Tally:
    """Return what comes of the first ``number`` mutants of ``subject``, each read with a time limit."""
    command = [sys.executable, "-m", "modelling.mutants", subject]
    told: list[Told] = []
    while len(told) < number:
        told += stretch([*command, str(len(told)), str(number)], number - len(told))
    words = Counter(one.word for one in told)
    wrong = {
        word: tuple(f"mutant {number}: {one.said}" for number, one in enumerate(told) if one.word == word)
        for word in ("uncaught", "hang")
    }
    slowest = max(one.seconds for one in told)
    return Tally(subject, len(told), words["refused"], wrong["uncaught"], wrong["hang"], slowest)


def stretch(command: list[str], number: int) -> list[Told]:
    """Return what the process ``command`` tells of at most ``number`` mutants, up to the first that ends it."""
    told: list[Told] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(TESTS)}
    ) as child:
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_read, args=(child, lines), daemon=True).start()
        if lines.get(timeout=STARTING) != "ready\n":
            raise RuntimeError(f"the process that reads mutants does not start: {command[1:]}")
        while len(told) < number:
            try:
                line = lines.get(timeout=LIMIT)
            except queue.Empty:
                child.kill()
                told.append(Told("hang", LIMIT, f"not read within {LIMIT} s"))
                break
            if not line:
                told.append(Told("uncaught", 0.0, f"the process ended with {child.wait()}"))
                break
            word, seconds, said = line.rstrip("\n").split(" ", 2)
            told.append(Told(word, float(seconds), said))
    return told


def _read(child: subprocess.Popen[str], lines: "queue.Queue[str]") -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    lines.put("")  # it has ended


def main(subject: str, start: int, end: int) -> None:
    """Read the mutants of ``subject`` from ``start`` to ``end``; print of each how it went."""
    model = Subject(subject, data := sources()[0][subject], looked_at(data))
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    print("ready", flush=True)
    for number in range(start, end):
        wrong = mutant(model, number)
        begun = time.perf_counter()
        word, said = "read", ""
        try:
            whole(wrong)
        except ModelUnavailable:
            word = "refused"
        except BaseException as error:  # noqa: BLE001 - what is looked for
            word, said = "uncaught", repr(error)[:300].replace("\n", " ")
        print(word, f"{time.perf_counter() - begun:.6f}", said, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
