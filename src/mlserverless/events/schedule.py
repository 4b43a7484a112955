"""A timer's tick: warm the function up, or, with the setting ``schedule_source``, classify a list of images.

The list is text: a URL or ``{"url": …}`` with options on each line (empty lines and those that begin with # do not
count), or one JSON list of them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.events import Part, decode, message, parts
from mlserverless.named_tuple import NamedTuple
from mlserverless.recording import NO_HEADERS, hand_back, lasting, serve
from mlserverless.serving import Service
from mlserverless.types import Outcome, Request

MAX_LIST_BYTES = 10_000_000


class Tick(NamedTuple):
    """One time that a timer was due. ``time`` is the version of what the list says: each scores it anew."""

    id: str
    time: str


class Schedule:
    """What every cloud's timer does."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(
        self, tick: Tick, deadline: Deadline, *, invocation: str = "", headers: Mapping[str, str] = NO_HEADERS
    ) -> dict[str, Any]:
        """Warm up, or classify the list and return how many of it were answered.

        ``invocation`` and ``headers`` are for the log, as :func:`mlserverless.recording.serve` takes them.
        A list that is not done within the deadline raises Redeliver; the next delivery of the tick goes on with
        what has no result yet. Raises a SourceError where the list cannot be read.
        """
        settings = self._service.predictor.settings
        if not settings.schedule_source:
            self._service.warm_up()
            return {"warm": True}
        self._service.predictor.load(deadline)  # its name is in the keys by which what is done is found
        listed = _List(settings, deadline)
        answered: dict[str, Any] = serve(
            listed, tick, self._service, deadline, resume=True, invocation=invocation, headers=headers
        )
        return answered


class _List:
    faas_trigger = "timer"

    def __init__(self, settings: Settings, deadline: Deadline) -> None:
        self._settings, self._deadline = settings, deadline

    def split(self, tick: Tick) -> Sequence[Part]:
        text = _text(self._settings.schedule_source, self._deadline.within(self._settings.download_timeout))
        found: list[Part] = []
        for at, line in enumerate(_lines(text)):
            name = f"{tick.id}/{at}"
            for one in message.read(line, name):
                if not isinstance(one, Request):
                    one.about = f"{one.about}@{tick.time}"  # another tick's broken line is another one
                # By the time it was due, not by its place: a list that grew between two deliveries is the same
                # one.
                found += parts(
                    name, [one._replace(version=tick.time, pin="") if isinstance(one, Request) else one]
                )
        return found

    decode: Callable[[Part], Request] = staticmethod(decode)

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> dict[str, Any]:
        # A line that never will pass is told by the log at least: trying the list again would not mend it.
        hand_back(outcomes, [outcome for outcome in failed if not lasting(outcome.result)])
        return {"recorded": len(outcomes)}


def _lines(text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            return [text]
        return listed if isinstance(listed, list) else [text]
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


def _text(url: str, deadline: Deadline) -> str:
    # The deployment names the list, as it names the model: it may lie in a private network.
    body = bytearray()
    if url.startswith("https:"):
        from mlserverless.net.client import Limits, stream

        stream(url, deadline, body.extend, Limits(MAX_LIST_BYTES, allow_private=True, what="list"))
    else:
        from mlserverless import stores

        stores.stream(url, deadline, body.extend, max_bytes=MAX_LIST_BYTES, what="list")
    return body.decode("utf-8-sig", "replace")
