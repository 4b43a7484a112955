"""DNS rebinding: names whose answers change between one question and the next, from public to private and back.

No packet leaves this machine. Public addresses are led to an origin on 127.0.0.1, and say that they are
themselves; a connection to a private one is recorded and refused.
"""

import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple
from unittest.mock import patch
from weakref import WeakKeyDictionary

from helpers.figures import Figure, Scale
from helpers.hostile import IMAGE, onward
from helpers.origin import keep, response, serving
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.download import download
from mlserverless.errors import MlserverlessError, SourceBlocked
from mlserverless.net import pool

NAME = "DNS-rebinding trials"
AT_ONCE = 6  # fewer than the connections that the pool keeps, so that none loses its own to another
PUBLIC = ("93.184.215.14", "8.8.8.8", "1.1.1.1", "52.95.110.1", "151.101.1.69")
PRIVATE = (
    *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "168.63.129.16", "100.64.0.1", "0.0.0.0"),
    *("::1", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
)
Answers = list[list[str]]


class Plan(NamedTuple):
    """A trial: what its name is answered with, question by question and the last for ever, and what is asked.

    ``peer`` is what the connected socket says of its other end, where that is not the address connected to.
    """

    answers: Answers
    paths: tuple[str, ...]
    peer: str = ""

    @property
    def may_answer(self) -> bool:
        """Whether there is an image to be had: some answer is public as a whole, and so is the peer."""
        return not self.peer and any(set(answer) <= set(PUBLIC) for answer in self.answers)


class Ended(NamedTuple):
    """What became of a trial: each request's end, the questions asked for its name, the requests without one."""

    ends: list[str]
    asked: int
    kept: int


class Network:
    """The resolver and the sockets as the trials see them; ``reached`` are connections to private addresses."""

    def __init__(self, port: int) -> None:
        self.port, self.reached, self.connected = port, list[Any](), count()
        self.plans: dict[str, Plan] = {}
        self.asked: dict[str, int] = {}
        self._peers: WeakKeyDictionary[socket.socket, Any] = WeakKeyDictionary()
        self._plan = threading.local()
        self._connect, self._getpeername = socket.socket.connect, socket.socket.getpeername

    def getaddrinfo(self, host: bytes, port: int, *_: Any, **__: Any) -> list[Any]:
        name = host.decode()
        plan, asked = self.plans[name], self.asked[name]
        self.asked[name] = asked + 1  # one trial asks for one name, and one thing at a time
        return [_entry(text, port) for text in plan.answers[min(asked, len(plan.answers) - 1)]]

    def connect(self, sock: socket.socket, address: Any) -> None:
        if address[0] not in PUBLIC:
            self.reached.append(address)
            raise ConnectionRefusedError(111, "Connection refused")
        next(self.connected)
        self._peers[sock] = (getattr(self._plan, "peer", "") or address[0], address[1])
        self._connect(sock, ("127.0.0.1", self.port))

    def getpeername(self, sock: socket.socket) -> Any:
        return self._peers.get(sock) or self._getpeername(sock)

    @contextmanager
    def patched(self) -> Iterator[None]:
        network = self
        with (
            patch.object(socket, "getaddrinfo", self.getaddrinfo),
            patch.object(socket.socket, "connect", lambda sock, address: network.connect(sock, address)),
            patch.object(socket.socket, "getpeername", lambda sock: network.getpeername(sock), create=True),
        ):
            yield

    def run(self, name: str, plan: Plan) -> Ended:
        """Make the requests of ``plan``, one after the other."""
        self.plans[name], self.asked[name], self._plan.peer = plan, 0, plan.peer
        ends, kept = [], 0
        for path in plan.paths:
            before = self.asked[name]
            end = self._fetch(f"http://{name}:{self.port}{path}")
            ends.append("an image where none may be" if end == "image" and not plan.may_answer else end)
            kept += self.asked[name] == before
        return Ended(ends, self.asked[name], kept)

    def _fetch(self, url: str) -> str:
        try:
            data = download(url, Settings(), Deadline(30))
        except SourceBlocked:
            return "blocked"
        except MlserverlessError as error:
            return repr(error)
        return "image" if data == IMAGE else f"{len(data)} other bytes"


def _entry(text: str, port: int) -> Any:
    six = ":" in text
    address = (text, port, 0, 0) if six else (text, port)
    return (socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM, 6, "", address)


def plan(rng: random.Random) -> Plan:
    """Return a trial at random."""
    good = rng.sample(PUBLIC, rng.randint(1, 3))
    bad = rng.sample(PRIVATE, rng.randint(1, 2))
    mixed = rng.sample(good + bad, len(good + bad))
    # "/kept" keeps its connection, "/" does not; "/again" leads to the same name, whose next answer may differ.
    paths = tuple(rng.choices(("/", "/again", "/thrice", "/kept"), k=rng.randint(1, 4)))
    kind = rng.randrange(6)
    if kind == 0:
        return Plan([good, bad], paths)
    if kind == 1:
        return Plan([mixed], paths)
    if kind == 2:
        return Plan([good, mixed, bad, good], paths)
    if kind == 3:
        return Plan([bad, good], paths)
    if kind == 4:
        return Plan([good], paths, peer=rng.choice(PRIVATE))
    return Plan([rng.choice((good, good, bad, mixed)) for _ in range(12)], paths)


def trials(number: int, seed: int = 0) -> list[Plan]:
    """Return so many trials, the same at every run."""
    rng = random.Random(f"rebinding {seed}")
    return [plan(rng) for _ in range(number)]


def measure(scale: Scale) -> list[Figure]:
    """Run the trials; no private address may be reached, and each request ends in the image or is blocked."""
    number = scale.of(1000, 200)
    replies = {
        "/": response(IMAGE, Connection="close"),
        "/again": onward("/"),
        "/thrice": onward("/again"),
        "/kept": keep(*[response(IMAGE)] * 20),
    }
    pool.clear()
    with serving(replies, most=10 * number) as origin:
        network = Network(origin.port)
        with network.patched(), ThreadPoolExecutor(AT_ONCE) as threads:
            ended = list(
                threads.map(lambda one: network.run(f"n{one[0]}.example", one[1]), enumerate(trials(number)))
            )
        pool.clear()
    ends = [end for one in ended for end in one.ends]
    other = sorted({end for end in ends if end not in ("image", "blocked")})
    details = {
        "requests": len(ends),
        "images": ends.count("image"),
        "blocked": ends.count("blocked"),
        "resolutions": sum(one.asked for one in ended),
        "connections": next(network.connected),
        "on a kept connection": sum(one.kept for one in ended),
        "reached": network.reached,
        "other": other,
    }
    # Where hardly any is let through, hardly any is tried; the same of the connections that are kept.
    fair = (
        min(details["images"], details["blocked"]) > number // 4 and details["on a kept connection"] > number // 20
    )
    said = f"{number:,}, {len(network.reached)} reach the private address"
    held = fair and not other and not network.reached
    return [Figure(NAME, "1,000, 0 reach the private address", said, held, details)]
