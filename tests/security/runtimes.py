"""The hostile suite through the providers' own runtimes: each gives the same problem, in time, and lives on."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from helpers import hostile
from helpers.figures import Figure, Scale, skip
from helpers.images import encode
from helpers.runtimes import REASONS
from mlserverless.local.runtime import Runtime
from security import started
from security.bodies import JSON, bodies, spellings
from security.hostile_images import Sent
from security.started import Answer

NAME, BAR = "hostile suite through the real runtimes", "same problem codes"
TIMEOUT_S, SLACK_S = 1.0, 2.0
SETTINGS = {
    "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true",
    "MLSERVERLESS_ALLOWED_HOSTS": "127.0.0.1",  # no redirect of the suite reaches anything but this machine
    "MLSERVERLESS_DOWNLOAD_TIMEOUT": str(TIMEOUT_S),
    "MLSERVERLESS_MAX_BYTES": str(hostile.MAX_BYTES),
}
BATCH = 24  # origins at a time
PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "flower.jpg"
# How a connection broke off is told by chance: which packet came first. The code is the same all the same.
BY_CHANCE = ("reset", "closed", "TLS", "flood", "endless", "no end", "without end", "over the limit", "drip")

Seen = dict[str, tuple[Answer, float]]  # by runtime: the answer, and the seconds that it took


def code(answer: Any) -> str:
    """Return the problem code of an answer, "ok" for one with status 200, what it is where it is neither."""
    try:
        told = json.loads(answer.body)
        found: str = "ok" if answer.status == 200 else told["code"]
    except (ValueError, TypeError, KeyError):
        return f"status {answer.status}: {answer.body[:80]!r}"
    return found


class Fleet:
    """The running runtimes, each asked from as many threads as it answers at a time."""

    def __init__(self, runtimes: dict[str, Runtime], stack: ExitStack) -> None:
        self.runtimes = runtimes
        self._threads = {
            name: stack.enter_context(ThreadPoolExecutor(1 if name == "aws-rie" else started.PARALLEL))
            for name in runtimes
        }

    def ask(self, sent: list[Sent], only: str = "") -> list[Seen]:
        """Return what every runtime answers to each of ``sent``, or what the one called ``only`` does."""

        def one(runtime: Runtime, request: Sent) -> tuple[Answer, float]:
            begun = time.monotonic()
            kind = {"Content-Type": request.kind} if request.kind else {}
            answer = started.ask(runtime, request.method, request.path, kind, request.body)
            return answer, time.monotonic() - begun

        asked = [only] if only else list(self.runtimes)
        futures = [
            {name: self._threads[name].submit(one, self.runtimes[name], each) for name in asked} for each in sent
        ]
        return [{name: future.result() for name, future in row.items()} for row in futures]


def faults(sent: Sent, seen: Seen) -> list[str]:
    """Return what is wrong with the answers to ``sent``."""
    codes = {name: code(answer) for name, (answer, _) in seen.items()}
    found = [
        f"{name}: {told}, not {' or '.join(sent.codes)}" for name, told in codes.items() if told not in sent.codes
    ]
    if len(set(codes.values())) > 1:
        found.append(f"not the same: {codes}")
    bodies = {answer.body for answer, _ in seen.values()}
    if sent.texts and len(bodies) > 1 and not found:
        found.append(f"not the same bytes: {[body[:300] for body in bodies]}")
    limit = TIMEOUT_S + SLACK_S
    found += [f"{name}: took {seconds:.1f} s" for name, (_, seconds) in seen.items() if seconds > limit]
    return [f"{sent.name}: {fault}" for fault in found]


def cases(scale: Scale) -> list[hostile.Case]:
    """Return the hostile origins; in the shortened form a third, of those that wait for the timeout a few."""
    if not scale.short:
        return hostile.CASES
    waiting = [case for case in hostile.CASES if case.waits]
    return [case for case in hostile.CASES if not case.waits][::3] + waiting[::6]


def origins(fleet: Fleet, wanted: list[hostile.Case]) -> Iterator[tuple[Sent, Seen]]:
    """Yield what the runtimes say of each hostile origin."""
    for first in range(0, len(wanted), BATCH):
        with ExitStack() as stack:
            sent = []
            for case in wanted[first : first + BATCH]:
                url = stack.enter_context(hostile.served(case))
                texts = len(case.codes) == 1 and not any(word in case.name for word in BY_CHANCE)
                body = json.dumps({"url": url}).encode()
                sent.append(Sent(f"origin: {case.name}", JSON, body, case.codes, texts=texts))
            yield from zip(sent, fleet.ask(sent), strict=True)


@contextmanager
def trap() -> Iterator[tuple[int, list[Any]]]:
    """Listen on loopback, where nobody may come: yield the port, and those who came."""
    came: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def wait() -> None:
            while True:
                try:
                    connection, who = listener.accept()
                except OSError:
                    return
                connection.close()
                came.append(who)

        threading.Thread(target=wait, daemon=True).start()
        yield listener.getsockname()[1], came
        listener.shutdown(socket.SHUT_RDWR)


def photo() -> Sent:
    """Return a request that any runtime in good health answers."""
    small = Image.open(PHOTO).convert("RGB").resize((96, 96))
    return Sent("a photo", "image/jpeg", encode(small, "JPEG"), ("ok",))


def measure(scale: Scale) -> list[Figure]:
    """Start the runtimes twice: with loopback allowed for the hostile suite, and as they are by default."""
    clouds = tuple(name for name in REASONS if not (scale.short and name == "aws-rie"))
    missing = started.missing(clouds)
    found: list[tuple[Sent, Seen]] = []
    good = photo()
    first_faults: list[str] = []
    with started.printed() as output:
        try:
            with ExitStack() as stack:
                fleet = Fleet(stack.enter_context(started.running(clouds, SETTINGS)), stack)
                fleet.ask([good] * started.PARALLEL)  # every sandbox has started before time is taken
                found += origins(fleet, cases(scale))
                sent = bodies()[:: scale.of(1, 3)]
                found += zip(sent, fleet.ask(sent), strict=True)
                after = [good] * started.PARALLEL
                found += zip(after, fleet.ask(after), strict=True)
            with ExitStack() as stack, trap() as (port, came):
                fleet = Fleet(stack.enter_context(started.running(clouds, {})), stack)
                fleet.ask([good] * started.PARALLEL)
                sent = spellings(port)[:: scale.of(1, 2)]
                found += zip(sent, fleet.ask(sent), strict=True)
                found += zip([good], fleet.ask([good]), strict=True)
                first_faults += [f"someone connected to this machine: {who}" for who in came]
        finally:
            log = output()
    wrong = first_faults + [fault for sent, seen in found for fault in faults(sent, seen)]
    slowest = max((seconds for _, seen in found for _, seconds in seen.values()), default=0.0)
    names = [cloud for cloud in clouds if cloud not in missing]
    figure = Figure(
        NAME,
        BAR,
        f"{len(wrong)} differences in {len(found)} requests × {len(names)} runtimes, the slowest {slowest:.1f} s",
        not wrong and bool(names),
        {"runtimes": names, "wrong": wrong, "requests": len(found), "log": log[-4000:] if wrong else ""},
    )
    return [figure, *(skip(f"{NAME}: {cloud}", BAR, reason) for cloud, reason in missing.items())]
