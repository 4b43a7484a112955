"""One GET: redirects followed and checked anew, bytes capped, every failure one of our errors."""

from http.client import HTTPException, HTTPResponse
from urllib.parse import urljoin

from mlserverless.deadline import Deadline
from mlserverless.errors import (
    ImageTooLarge,
    InvalidRequest,
    SourceBlocked,
    SourceError,
    SourceNotFound,
    SourceTimeout,
)
from mlserverless.net.connection import GuardedConnection
from mlserverless.net.url import Url, allowed, parse

REDIRECTS = (301, 302, 303, 307, 308)
GONE = (404, 410)
PASSING = (408, 425, 429)
CHUNK = 1 << 16
HEADERS = {
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "User-Agent": "mlserverless",
    "Connection": "close",
}


def get(
    url: str,
    deadline: Deadline,
    *,
    max_bytes: int,
    max_redirects: int = 3,
    allowed_hosts: tuple[str, ...] = (),
    allow_private: bool = False,
) -> bytes:
    """Return the body at ``url``, of at most ``max_bytes`` bytes, before the ``deadline``.

    Raises InvalidRequest, SourceBlocked, SourceNotFound, SourceTimeout, SourceError or ImageTooLarge.
    """
    here, left = parse(url), max_redirects
    while True:
        if not allowed(here.host, allowed_hosts):
            raise SourceBlocked(f"The host {here.host} is not among the hosts this function reads from.")
        body, onward = _ask(here, deadline, max_bytes, allow_private=allow_private)
        if onward is None:
            return body
        there = _redirected(here, onward)
        if not left:
            raise SourceError(f"{here.host} redirects more than {max_redirects} times.", retryable=False)
        here, left = there, left - 1


def _redirected(here: Url, onward: str) -> Url:
    try:
        there = parse(urljoin(f"{here.scheme}://{here.netloc}{here.target}", onward))
    except (ValueError, InvalidRequest) as error:  # the origin's fault, not the caller's
        raise SourceError(f"{here.host} redirects to something that is no URL.", retryable=False) from error
    if here.scheme == "https" and there.scheme != "https":
        raise SourceBlocked(f"{here.host} redirects from https to a URL that is not; that is not followed.")
    return there


def _ask(url: Url, deadline: Deadline, max_bytes: int, *, allow_private: bool) -> tuple[bytes, str | None]:
    connection = GuardedConnection(url, deadline, max_bytes=max_bytes, allow_private=allow_private)
    response: HTTPResponse | None = None
    try:
        connection.request("GET", url.target, headers={"Host": url.netloc, **HEADERS})
        response = connection.getresponse()
        if response.status in REDIRECTS and (onward := response.headers.get("Location")):
            return b"", onward
        _check(url, response)
        return _body(url, response, max_bytes), None
    except TimeoutError as error:
        raise SourceTimeout(f"{url.host} did not deliver the image within {deadline.seconds:.3g} s.") from error
    except HTTPException as error:
        kind = type(error).__name__
        raise SourceError(f"{url.host} did not answer in proper HTTP, or not to the end ({kind}).") from error
    except OSError as error:
        # Named by its class, not imported: ssl is not loaded where the origin is plain http.
        lasting = type(error).__name__ == "SSLCertVerificationError"
        reason = (
            "its certificate is not valid" if lasting else f"the connection failed ({error.strerror or error})"
        )
        raise SourceError(f"{url.host} cannot be read: {reason}.", retryable=not lasting) from error
    except ValueError as error:  # a chunk of a negative size, in http.client
        raise SourceError(f"{url.host} did not answer in proper HTTP ({error}).") from error
    finally:
        if response is not None:
            response.close()
        connection.close()


def _check(url: Url, response: HTTPResponse) -> None:
    status = response.status
    said = f"{url.host} answered {status} {response.reason[:80]}".rstrip()
    if status in GONE:
        raise SourceNotFound(f"{said}: there is no image at this address.")
    if status != 200:
        raise SourceError(f"{said}.", retryable=status in PASSING or status >= 500)
    if (encoding := response.headers.get("Content-Encoding", "identity").strip().lower()) != "identity":
        raise SourceError(f"{url.host} sent the image encoded as {encoding}, unasked.", retryable=False)


def _body(url: Url, response: HTTPResponse, max_bytes: int) -> bytes:
    announced = response.length  # None where the body is chunked or ends with the connection
    if announced is not None and announced > max_bytes:
        raise ImageTooLarge(f"The image has {announced:,} bytes; at most {max_bytes:,} are accepted.")
    body = bytearray()
    while chunk := response.read(CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise ImageTooLarge(f"The image has more than the {max_bytes:,} bytes that are accepted.")
    if announced is not None and len(body) != announced:
        raise SourceError(f"{url.host} announced {announced:,} bytes and sent {len(body):,}.")
    return bytes(body)
