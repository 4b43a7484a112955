"""A connection that answers with bytes that are given, cut where a test says, and then ends."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

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
