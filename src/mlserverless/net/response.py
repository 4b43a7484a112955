"""One HTTP/1 response, read off a timed socket: never past the caps, and never past its own end unnoticed."""

from collections.abc import Iterator
from io import BytesIO

from mlserverless.errors import ImageTooLarge
from mlserverless.net.buffered import CUT_OFF, Buffered
from mlserverless.net.head import CODING, HEAD, LENGTH, Head, Improper, fields, improper, lines, parse
from mlserverless.net.timed import TimedSocket

PIECE = 64 << 10  # bytes handed on at a time
FRAMING = 1 << 20  # bytes beside the body; chunks' own framing may be as long as the body
MOST_INTERIM = 32  # responses before the response
MOST_DIGITS = 16  # of a chunk's size: 64 bits
MOST_LINE = 256  # bytes of a chunk's first line: the size, and extensions that nobody uses
MOST_TRAILERS = 8 << 10  # bytes
HEX = b"0123456789ABCDEFabcdef"


class Response:
    """A response, of which first the :meth:`head` is read, then the body: :meth:`whole`, or in :meth:`pieces`.

    Each raises Improper, OSError, or ImageTooLarge for a body of more than ``max_bytes``; ``what`` is its noun.
    """

    def __init__(self, timed: TimedSocket, max_bytes: int, what: str = "image") -> None:
        self._in, self._max_bytes, self._what = Buffered(timed, 2 * max_bytes + FRAMING, what), max_bytes, what
        self._head, self._read = Head(0), False

    @property
    def clean(self) -> bool:
        """Whether the connection may serve another request: this response came to its end, and not a byte more."""
        return self._read and self._head.keeps and self._in.empty

    def head(self) -> Head:
        """Read the head, and those of the interim responses before it, which are passed over."""
        left = HEAD
        for _ in range(MOST_INTERIM + 1):
            block = self._in.block(left, b"HTTP/1.")
            self._head = head = parse(block)
            if head.status >= 200 or head.status == 101:  # nobody asked for another protocol: it is the answer
                return head
            if head.chunked or head.length is not None:
                raise improper("an interim response has a body")
            left -= len(block)
        raise improper(f"it has more than {MOST_INTERIM} interim responses")

    def whole(self) -> bytes:
        """Read the body."""
        length = self._announced()
        out = BytesIO(bytes(length or 0))
        if length is None:
            for piece in self.pieces():
                out.write(piece)
            return out.getvalue()
        # Straight into the bytes that are returned: BytesIO lends its own. They take memory as they are filled.
        view, first = out.getbuffer(), self._in.taken(length)
        at = len(first)
        view[:at] = first
        while at < length:
            if not (count := self._in.into(view[at:])):
                raise self._short(at)
            at += count
        self._read = True
        return out.getvalue()

    def pieces(self) -> Iterator[bytes]:
        """Read the body, piece by piece."""
        length = self._announced()
        if self._head.chunked:
            yield from self._chunks()
        else:
            count = 0
            while piece := self._in.some(PIECE if length is None else min(length - count, PIECE)):
                count += len(piece)
                self._hold(count)
                yield piece
            if length is not None and count < length:
                raise self._short(count)
        self._read = True

    def _announced(self) -> int | None:
        if (length := self._head.length) is not None and length > self._max_bytes:
            most = f"at most {self._max_bytes:,} are accepted"
            raise ImageTooLarge(f"The {self._what} has {length:,} bytes; {most}.")
        return length

    def _hold(self, count: int) -> None:
        if count > self._max_bytes:
            raise ImageTooLarge(f"The {self._what} has more than the {self._max_bytes:,} bytes that are accepted.")

    def _short(self, count: int) -> Improper:
        return Improper(f"announced {self._head.length:,} bytes and sent {count:,}")

    def _chunks(self) -> Iterator[bytes]:
        count = 0
        while size := self._size():
            count += size
            self._hold(count)
            while size:
                if not (piece := self._in.some(min(size, PIECE))):
                    raise improper(CUT_OFF)
                size -= len(piece)
                yield piece
            if self._in.line(0):
                raise improper("a chunk is longer than its size")
        left, trailers = MOST_TRAILERS, list[bytes]()
        while line := self._line(left):
            trailers.append(line)
            left -= len(line) + 2
        if not fields(trailers).keys().isdisjoint((LENGTH, CODING)):
            raise improper("it speaks of its length after its end")

    def _size(self) -> int:
        size, _, _ = self._line(MOST_LINE).partition(b";")
        if not size or len(size) > MOST_DIGITS or size.translate(None, HEX):
            raise improper("a chunk's size is not a hexadecimal number")
        return int(size, 16)

    def _line(self, most: int) -> bytes:
        (line,) = lines(self._in.line(most))
        return line
