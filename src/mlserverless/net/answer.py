"""What an origin's answer must be before its body is read: 200, and not encoded."""

from mlserverless.errors import SourceError, SourceNotFound
from mlserverless.net.head import Head

GONE = (404, 410)
PASSING = (408, 425, 429)
MAX_WORD = 20


def check(host: str, head: Head, what: str) -> None:
    """Raise SourceNotFound or SourceError unless this is a ``what`` of ``host``, as it was asked for."""
    status = head.status
    if status in GONE:
        raise SourceNotFound(f"{host} answered {_told(status)}: there is no {what} at this address.")
    if status != 200:
        failed = SourceError(f"{host} answered {_told(status)}.", retryable=status in PASSING or status >= 500)
        failed.retry_after = head.after.decode("latin-1")
        raise failed
    for encoding in head.encodings:
        if (name := encoding.decode("latin-1").lower()) != "identity":
            plain = name.isascii() and name.isalnum() and len(name) <= MAX_WORD
            told = f"encoded as {name}" if plain else "in a content encoding"
            raise SourceError(f"{host} sent the {what} {told}, unasked.", retryable=False)


def _told(status: int) -> str:
    # Not in the origin's own words, which may repeat the URL, signature and all.
    from http import HTTPStatus  # 3 ms, which only those pay who are told

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
