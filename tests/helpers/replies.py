"""A connection that answers with bytes that are given, cut where a test says, and then ends."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import h11

from mlserverless.deadline import Deadline
from mlserverless.net.response import Response
from mlserverless.net.timed import TimedSocket


class Sent:
    """The other side of a connection, as a socket is read; ``cuts`` are places at which a read ends."""

    def __init__(self, data: bytes, cuts: Iterable[int] = ()) -> None:
        self.data, self.at, self.cuts = data, 0, sorted(cuts)

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def recv_into(self, buffer: Any) -> int:
        later = bisect_right(self.cuts, self.at)
        end = self.cuts[later] if later < len(self.cuts) else len(self.data)
        piece = self.data[self.at : min(end, self.at + len(buffer))]
        memoryview(buffer)[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)


def response(data: bytes, cuts: Iterable[int] = (), max_bytes: int = 1000) -> Response:
    """Return what reads the response in ``data``."""
    return Response(TimedSocket(Sent(data, cuts), Deadline(60)), max_bytes)


def h11s(sent: bytes) -> tuple[int, bytes, bytes]:
    """Return the status and the body as h11 reads them, and what it has left."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "h.example")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(sent)
    connection.receive_data(b"")
    status, body = 0, b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        assert not isinstance(event, h11.ConnectionClosed), "h11 has seen no end"
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    return status, body, connection.trailing_data[0]
