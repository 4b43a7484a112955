"""Which canary was sent with which request, and where it showed."""

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from security.canary_events import Shown
from security.canary_origin import MARK, TOKEN


class Ledger:
    """Gives each request its canary, and remembers which request that was and where it showed."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self.found: dict[tuple[str, str], str] = {}
        self.codes: Counter[str] = Counter()

    @property
    def sent(self) -> int:
        """How many requests there were."""
        return len(self._names)

    def token(self, name: str) -> str:
        """Return a new canary for the request called ``name``."""
        self._names.append(name)
        return f"{MARK}{self.sent:06d}"

    def look(self, place: str, text: str) -> None:
        """Take note of every canary in ``text``, in any case of its letters."""
        for hit in TOKEN.finditer(text):
            name = self._names[int(hit[0][len(MARK) :]) - 1]
            around = text[max(0, hit.start() - 100) : hit.end() + 20]
            self.found.setdefault((place, name), around)

    def look_at(self, shown: Shown) -> None:
        """Look at several places."""
        for place, text in shown:
            self.look(place, text)


@contextmanager
def everything_logged() -> Iterator[None]:
    """Write every logger's every record to stderr."""
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
