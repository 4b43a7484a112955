"""What the clouds' messages say, cloud-neutral: plain JSON in, requests out.

A message's meaning does not depend on what carried it: an S3 notification may come as an event of its own, in an
SQS message, in an SNS envelope inside one, or in any other cloud's queue. So every adapter takes its own envelope
off and hands what is in it to :func:`mlserverless.events.message.read`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mlserverless.errors import InvalidRequest
from mlserverless.types import Request

Found = Request | InvalidRequest
"""What one part of a message asks for, or why that cannot be told."""


class Part(NamedTuple):
    """One thing that a message asks for. ``message`` is what the platform acknowledges the message by.

    ``name`` is what the part is known by where it cannot be read: the same at every delivery.
    """

    message: str
    found: Found
    name: str = ""


def decode(part: Part) -> Request:
    """Return the part's request, or raise why there is none."""
    if isinstance(part.found, InvalidRequest):
        raise part.found
    return part.found


def parts(message: str, found: Sequence[Found], name: str = "") -> list[Part]:
    """Return what a message asks for as its parts, named after the message, or ``name``, and their place in it."""
    name = name or message
    return [Part(message, one, f"{name}/{at}" if at and name else name) for at, one in enumerate(found)]
