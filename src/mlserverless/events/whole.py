"""Events that a platform takes back as a whole: one part that must be delivered again takes the others along.

That costs a second prediction, not a second result: what was recorded stays.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mlserverless.events import Part, decode
from mlserverless.recording import hand_back
from mlserverless.serving import Service
from mlserverless.types import Outcome, Request


class WholeEvent:
    """The base of such a trigger, which adds ``split``: the event's parts, and a way in that calls ``serve``."""

    faas_trigger = "pubsub"  # as OpenTelemetry names what brings it

    def __init__(self, service: Service) -> None:
        self.service = service

    decode: Callable[[Part], Request] = staticmethod(decode)

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> Any:
        """Return what was predicted, for a person who invokes by hand; raise Redeliver for a failure."""
        hand_back(outcomes, failed)
        return {"results": [outcome.to_dict() for outcome in outcomes]}
