"""The load generator, a process of its own: requests made beforehand, every answer checked, each latency kept.

Closed loop: ``clients`` connections, each of which asks again when it is answered. Open loop: requests at ``rate``
a second at moments that chance sets (a Poisson process with a fixed seed), whether the others are answered or not,
each timed from the moment it was due. wrk is closed loop only, and no tool of the registries both holds a rate and
checks answers.

Reads one JSON object, {"host", "port", "requests": [base64], "wanted": [class], "pattern", "seconds", "clients" or
"rate"}; writes one. A connection that the server closed while it was idle is opened again; an answer that is cut
short, or does not come within half a minute, is lost. Run it with ``-I``: it needs nothing but Python.
"""

import asyncio
import base64
import json
import random
import re
import socket
import sys
import time
from collections import Counter
from typing import Any

TIMEOUT = 30.0
MOST_OPEN = 512  # connections; a request that finds as many in use is lost


class Closed(Exception):
    """The server closed the connection before a byte of the answer."""


class Connection:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self.used = reader, writer, False

    @property
    def stale(self) -> bool:
        """Whether the server closed it while it was idle."""
        return self._reader.at_eof() or self._reader.exception() is not None

    async def ask(self, request: bytes) -> tuple[int, bytes, bool]:
        """Return the answer's status and body, and whether the connection may be used again."""
        try:
            self._writer.write(request)
            await self._writer.drain()
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            raise Closed from error
        except ConnectionError as error:
            raise Closed from error
        self.used = True
        lower = head.lower()
        found = re.search(rb"\r\ncontent-length: *(\d+)", lower)
        if found is None:
            raise ConnectionError("an answer without a length")
        body = await self._reader.readexactly(int(found[1]))
        return int(head[9:12]), body, b"\r\nconnection: close" not in lower

    def close(self) -> None:
        """Close it."""
        self._writer.close()


class Client:
    """What asks, and counts what comes of it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._requests = [base64.b64decode(request) for request in spec["requests"]]
        self._wanted = [str(wanted).encode() for wanted in spec["wanted"]]
        self._pattern = re.compile(spec["pattern"].encode())
        self._idle: list[Connection] = []
        self._open = 0
        self.counts: Counter[str] = Counter()
        self.told: Counter[str] = Counter()  # what errors and losses were
        self.latencies: list[float] = []
        self.started = self.last = time.perf_counter()

    async def one(self, number: int, due: float) -> None:
        """Ask request ``number``, which was due at ``due``, and count what comes."""
        self.counts["sent"] += 1
        which = number % len(self._requests)
        try:
            async with asyncio.timeout(TIMEOUT):
                status, body = await self._exchange(self._requests[which])
        except (OSError, EOFError, Closed, TimeoutError) as error:
            self.counts["lost"] += 1
            self.told[f"lost: {type(error).__name__} {error}".strip()] += 1
            return
        self.last = time.perf_counter()
        self.latencies.append(1000 * (self.last - due))
        if status != 200:
            self.counts["errors"] += 1
            self.told[f"{status}: {body[:160].decode('utf-8', 'replace')}"] += 1
        else:
            found = self._pattern.search(body)
            self.counts["correct" if found and found[1] == self._wanted[which] else "wrong"] += 1

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        while True:
            connection = await self._connection()
            kept = connection.used
            reusable = False
            try:
                status, body, reusable = await connection.ask(request)
                return status, body
            except Closed:
                if not kept:
                    raise
                self.counts["reconnects"] += 1  # it was closed while it was idle
            finally:
                if reusable:
                    self._idle.append(connection)
                else:
                    connection.close()
                    self._open -= 1

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.stale:
                return connection
            self.counts["reconnects"] += 1
            connection.close()
            self._open -= 1
        if self._open >= MOST_OPEN:
            raise ConnectionError(f"{MOST_OPEN} connections are in use")
        self._open += 1
        try:
            reader, writer = await asyncio.open_connection(self._spec["host"], self._spec["port"])
        except OSError:
            self._open -= 1
            raise
        plain = writer.get_extra_info("socket")
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A whole request at once, so that the kernel goes on sending it while this process waits for its turn.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        return Connection(reader, writer)

    async def closed_loop(self, clients: int, seconds: float) -> None:
        """Have ``clients`` ask one request after another."""
        end = time.perf_counter() + seconds

        async def ask(first: int) -> None:
            number = first
            while time.perf_counter() < end:
                await self.one(number, time.perf_counter())
                number += 1

        await asyncio.gather(*(ask(client) for client in range(clients)))

    async def open_loop(self, rate: float, seconds: float) -> None:
        """Ask at ``rate`` a second."""
        chance, number, asked = random.Random(6), 0, set()
        due = begun = time.perf_counter()
        while (due := due + chance.expovariate(rate)) < begun + seconds:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.one(number, due))
            asked.add(task)
            task.add_done_callback(asked.discard)
            number += 1
        await asyncio.gather(*asked)

    def found(self) -> dict[str, Any]:
        """Return what was counted."""
        names = ("sent", "correct", "wrong", "errors", "lost", "reconnects")
        return {
            **{name: self.counts[name] for name in names},
            "told": dict(self.told.most_common(5)),
            "seconds": self.last - self.started,
            "cpu": time.process_time(),
            "latencies": [round(latency, 2) for latency in self.latencies],
        }


def main() -> None:
    """Do what stdin asks."""
    spec = json.load(sys.stdin)
    client = Client(spec)
    if spec.get("rate"):
        asyncio.run(client.open_loop(spec["rate"], spec["seconds"]))
    else:
        asyncio.run(client.closed_loop(spec["clients"], spec["seconds"]))
    json.dump(client.found(), sys.stdout)


if __name__ == "__main__":
    main()
