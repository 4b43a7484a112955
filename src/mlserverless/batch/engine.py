"""What passes between a batch and what answers its items: on this machine, over HTTP, on a user's own cloud.

An engine is given the items one by one, as it asks for them, and gives back what became of each, in their order.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from mlserverless.named_tuple import NamedTuple

# Whoever is asked next would answer the same: the run ends, instead of telling it of every image.
ENDING = ("misconfigured", "model-unavailable")


class Item(NamedTuple):
    """One image: the ``source`` at the place ``index`` of the list, counted from 0.

    It is a URL, whatever it looks like, unless it is a ``file``'s path: a list from elsewhere opens none.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on an item
    source: str
    file: bool = False


class Done(NamedTuple):
    """What became of an item after ``attempts`` tries.

    ``result`` is the wire form of a prediction, or of a problem (which has the member ``code``) whose instance is
    the item's index.
    """

    index: int  # type: ignore[assignment]  # as Item's
    source: str
    result: dict[str, Any]
    attempts: int = 1

    @property
    def problem(self) -> str:
        """The problem's code, "" for a prediction."""
        return str(self.result.get("code", ""))


class Identity(NamedTuple):
    """Whose answers an engine gives: the model, and by name whatever else they depend on (options, settings)."""

    model: str
    sha256: str
    chosen: dict[str, Any]


class Stopped(Exception):
    """The run cannot go on, whatever the image: ``code`` is the problem's, "internal" where workers keep dying.

    The text says what is wrong and what helps.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Engine(Protocol):
    """What answers the items of a batch. One ``run`` at a time."""

    def open(self) -> Identity:
        """Get ready, and return whose answers will be given; raise Stopped where there will be none."""

    def run(self, items: Iterator[Item]) -> Iterator[Done]:
        """Yield what becomes of each of ``items``, in their order.

        Items are taken as they are needed: how many of them and of their answers are held at a time is bounded.
        What may pass is tried again, as a :class:`~mlserverless.batch.retry.Retry` says. Raises Stopped for a
        problem whose code is one of ENDING.
        """

    def close(self) -> None:
        """Let go of everything, also in the middle of a run; may be called again."""
