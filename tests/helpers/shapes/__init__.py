"""Each cloud's triggers in the conformance suite's terms: its own events, made of the payloads in tests/events.

``TRIGGERS`` of each module makes and reads events as plain data, so that the same ones are given to an adapter in
this process (:mod:`helpers.shapes.process`) and to a provider's real runtime (:mod:`helpers.shapes.real`).
"""

import base64
import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from mlserverless.testing.events import Message, Reply

EVENTS = Path(__file__).parents[2] / "events"


@cache
def _read(path: str) -> Any:
    return json.loads((EVENTS / f"{path}.json").read_text(encoding="utf-8"))


def payload(path: str) -> Any:
    """Return a copy of a payload, as ``aws/s3_put``."""
    return copy.deepcopy(_read(path))


def asked(message: Message) -> str:
    """Return the text of a message that asks by URL."""
    return "Hello!" if message.malformed else json.dumps({"url": message.url, **message.options})


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def whole(messages: Any, reply: Reply) -> list[bool]:
    """Read the reply of a platform that takes an event as a whole: done unless the function raised."""
    return [not reply.raised] * len(messages)


def by_status(messages: Any, reply: Reply) -> list[bool]:
    """Read an HTTP status: done where it is a 2xx."""
    return [not reply.raised and 200 <= reply.value < 300] * len(messages)
