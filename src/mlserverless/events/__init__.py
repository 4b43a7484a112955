"""What the clouds' messages say, cloud-neutral: plain JSON in, requests out.

A message's meaning does not depend on what carried it: an S3 notification may come as an event of its own, in an
SQS message, in an SNS envelope inside one, or in any other cloud's queue. So every adapter takes its own envelope
off and hands what is in it to :func:`mlserverless.events.message.read`.
"""

from collections.abc import Sequence

from mlserverless.errors import InvalidRequest
from mlserverless.named_tuple import NamedTuple
from mlserverless.types import Request

Found = Request | InvalidRequest
"""What one part of a message asks for, or why that cannot be told."""


class Part(NamedTuple):
    """One thing that a message asks for. ``message`` is what the platform acknowledges the message by."""

    message: str
    found: Found


def decode(part: Part) -> Request:
    """Return the part's request, or raise why there is none."""
    if isinstance(part.found, InvalidRequest):
        raise part.found
    return part.found


def parts(message: str, found: Sequence[Found], name: str = "") -> list[Part]:
    """Return what a message asks for as its parts; what cannot be read goes by the message, or by ``name``."""
    return [Part(message, one) for one in known(found, name or message)]


def known(found: Sequence[Found], name: str) -> list[Found]:
    """Return ``found``, whatever cannot be read named after the message, ``name``, and its place in it.

    So its record, too, is one, however often it is delivered. What has a name of its own keeps it.
    """
    for at, one in enumerate(found):
        if isinstance(one, InvalidRequest) and not one.about:
            one.about = f"{name}/{at}" if at and name else name
    return list(found)
