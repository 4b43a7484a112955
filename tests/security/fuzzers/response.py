"""Responses: one of our errors, or a body within the cap that is read alike in pieces, by the byte, and by h11.

The cap holds for what is read off the connection, too.
"""

import atheris

from security.fuzzers.common import fuzz

with atheris.instrument_imports(include=["mlserverless"]):
    from helpers.replies import Sent, h11s
    from mlserverless.deadline import Deadline
    from mlserverless.errors import ImageTooLarge
    from mlserverless.net.head import HEAD, Improper
    from mlserverless.net.response import FRAMING, Response
    from mlserverless.net.timed import TimedSocket

MAX_BYTES = 400
MOST = 2 * MAX_BYTES + FRAMING + HEAD
OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SEEDS = (
    OK + b"Content-Length: 5\r\n\r\nimage",
    OK
    + b"Content-Length: 5\r\ncontent-length: 5\r\nConnection: keep-alive, close\r\n\r\nimageHTTP/1.1 200 OK\r\n",
    OK + b"Content-Length: 401\r\n\r\n",
    OK + b"\r\nuntil the end",
    CHUNKED + b"5\r\nimage\r\n0\r\n\r\n",
    CHUNKED + b"A;x=y\r\n0123456789\r\n00\r\nTrailer: x\r\nY: z\r\n\r\n",
    CHUNKED + b"ffffffffffffffff\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",
    b"HTTP/1.0 200\r\nContent-Encoding: identity\r\nX:\t\xff \r\n\r\nimage",
    b"HTTP/1.1 302 Found\r\nLocation: /a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    OK.replace(b"\r", b"") + b"Content-Length : +5\n folded\n\nimage",
)


class Bytewise(Sent):
    """The same bytes, one at a time."""

    def recv_into(self, buffer: memoryview) -> int:
        return super().recv_into(memoryview(buffer)[:1])


def read(sent: Sent, *, pieces: bool = False) -> tuple[int, bytes, bool] | None:
    """Return the status, the body, and whether the connection may be kept; None where it is refused."""
    response = Response(TimedSocket(sent, Deadline(60)), MAX_BYTES)
    try:
        status = response.head().status
        body = b"".join(response.pieces()) if pieces else response.whole()
    except (Improper, ImageTooLarge) as error:
        said = str(error)
    else:
        assert len(body) <= MAX_BYTES, len(body)
        return status, body, response.clean
    assert said.isascii(), said
    assert len(said) < 150, said
    assert not response.clean, sent.data
    assert sent.at <= MOST, sent.at
    return None


def test(data: bytes) -> None:
    """Read ``data`` as all that an origin sends."""
    whole, sent = read(Sent(data)), Sent(data)
    again = read(sent, pieces=True)
    single = read(Bytewise(data))
    assert (whole and whole[:2]) == (again and again[:2]) == (single and single[:2]), (whole, again, single)
    if whole and whole[0] == 200:
        status, body, rest = h11s(data)
        assert (status, body) == whole[:2], (whole, status, body)
        assert not rest or sent.at < len(data) or not (again and again[2]), (again, rest)


if __name__ == "__main__":
    fuzz(test, SEEDS)
