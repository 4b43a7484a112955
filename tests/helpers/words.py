"""A trigger for tests of what becomes of any."""

from collections.abc import Sequence
from typing import Any

from mlserverless.errors import InvalidRequest
from mlserverless.recording import hand_back
from mlserverless.serving import Nothing
from mlserverless.types import Outcome, Request


class Words:
    """A trigger whose event is a list of texts: each is a URL, and ``bad`` none."""

    def split(self, event: list[str]) -> Sequence[str]:
        return event

    def decode(self, item: str) -> Request:
        if item == "bad":
            raise InvalidRequest("bad is no URL.")
        if item == "nothing":
            raise Nothing
        return Request(f"id of {item}", url=item)

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> Any:
        hand_back(outcomes, failed)
        return [outcome.to_dict() for outcome in outcomes]
