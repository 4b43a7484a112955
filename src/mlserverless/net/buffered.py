"""What an origin sends, a piece, a line or a block at a time, up to a number of bytes in all."""

from typing import Any

from mlserverless.errors import ImageTooLarge
from mlserverless.net.head import improper
from mlserverless.net.timed import TimedSocket

AHEAD = 16 << 10  # bytes read ahead, where fewer are wanted
CUT_OFF = "it ended before its end"


class Buffered:
    """Reads of ``timed``. More than ``most`` bytes in all raise ImageTooLarge, of which ``what`` is the noun."""

    def __init__(self, timed: TimedSocket, most: int, what: str) -> None:
        self._timed, self._left, self._what, self._ahead = timed, most, what, bytearray()
        self._most = most

    @property
    def empty(self) -> bool:
        """Whether all that has been read was asked for."""
        return not self._ahead

    def into(self, view: Any) -> int:
        """Read straight into ``view``, waiting for the first byte; return how many came, 0 at the end."""
        count = self._timed.receive(view)
        self._left -= count
        if self._left < 0:
            raise ImageTooLarge(
                f"The {self._what}'s origin sent more than {self._most:,} bytes, over twice of what is accepted."
            )
        return count

    def taken(self, most: int) -> bytes:
        """Return what has been read ahead, at most so many bytes."""
        taken = bytes(self._ahead[:most])
        del self._ahead[:most]
        return taken

    def some(self, most: int) -> bytes:
        """Return what comes, at most so many bytes; nothing at the end, and where none are wanted."""
        if most and not self._ahead:
            if most >= AHEAD:
                room = bytearray(most)
                return bytes(memoryview(room)[: self.into(room)])
            self._more()
        return self.taken(most)

    def line(self, most: int) -> bytes:
        """Return what comes before the next CR LF, at most so many bytes, without it; raise Improper."""
        return self._before(b"\r\n", most)

    def block(self, most: int, begin: bytes) -> bytes:
        """Return the lines up to the next empty one, likewise, of which the first begins with ``begin``."""
        return self._before(b"\r\n\r\n", most, begin)

    def _before(self, mark: bytes, most: int, begin: bytes = b"") -> bytes:
        ahead, seen = self._ahead, 0
        while (end := ahead.find(mark, max(0, seen - len(mark) + 1))) < 0 and len(ahead) < most + len(mark):
            # What can become no answer is refused as it comes: its sender may wait for us.
            if breaks := ahead.count(b"\n", seen):
                if breaks != ahead.count(b"\r\n", max(0, seen - 1)):
                    raise improper("a line of it ends with a bare line feed")
                if not ahead.startswith(begin):
                    raise improper("it does not begin as HTTP/1.1 or 1.0")
            seen = len(ahead)
            if not self._more():
                raise improper(CUT_OFF)
        if not 0 <= end <= most:
            raise improper("its head, or a line between its chunks, is too long")
        taken = self.taken(end)
        del ahead[: len(mark)]
        return taken

    def _more(self) -> int:
        room = bytearray(AHEAD)
        count = self.into(room)
        self._ahead += memoryview(room)[:count]
        return count
