"""What an origin's answer must be before its body is read: proper HTTP, 200, unencoded, of one length.

``http.client`` reads leniently: a length that is no number counts as none, an unknown transfer coding as none, a
head that breaks off as whole. What two readers read differently is refused here (RFC 9112, 6.1 to 6.3).
"""

from http.client import HTTPException, HTTPResponse, responses

from mlserverless.errors import SourceError, SourceNotFound

GONE = (404, 410)
PASSING = (408, 425, 429)
MAX_DIGITS = 40
MAX_WORD = 20


class ImproperHead(HTTPException):
    """The head breaks off, has a line that is no header, or says two things of the body's length."""


def check_head(response: HTTPResponse) -> None:
    """Raise ImproperHead where two readers might not agree on what the head says."""
    headers = response.headers
    lengths = {length.strip(" \t") for length in headers.get_all("Content-Length", ())}
    codings = [coding.strip(" \t").lower() for coding in headers.get_all("Transfer-Encoding", ())]
    if headers.defects or len(lengths) > 1 or codings not in ([], ["chunked"]):
        raise ImproperHead
    if not all(length.isascii() and length.isdigit() and len(length) <= MAX_DIGITS for length in lengths):
        raise ImproperHead


def check(host: str, response: HTTPResponse, what: str) -> None:
    """Raise SourceNotFound or SourceError unless this is a ``what`` of ``host``, as it was asked for."""
    status = response.status
    # Not in the origin's own words, which may repeat the URL, signature and all.
    said = f"{host} answered {status} {responses.get(status, '')}".rstrip()
    if status in GONE:
        raise SourceNotFound(f"{said}: there is no {what} at this address.")
    if status != 200:
        raise SourceError(f"{said}.", retryable=status in PASSING or status >= 500)
    for encoding in response.headers.get_all("Content-Encoding", ()):
        if (name := encoding.strip().lower()) != "identity":
            plain = name.isascii() and name.isalnum() and len(name) <= MAX_WORD
            told = f"encoded as {name}" if plain else "in a content encoding"
            raise SourceError(f"{host} sent the {what} {told}, unasked.", retryable=False)
