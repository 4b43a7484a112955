"""One GET: redirects followed and checked anew, bytes capped, every failure one of our errors."""

from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urljoin

from mlserverless.deadline import Deadline
from mlserverless.errors import (
    ImageTooLarge,
    InvalidRequest,
    SourceBlocked,
    SourceError,
    SourceTimeout,
)
from mlserverless.net import answer, pool
from mlserverless.net.connection import GuardedConnection
from mlserverless.net.url import Url, allowed, parse

REDIRECTS = (301, 302, 303, 307, 308)
CHUNK = 1 << 16
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "mlserverless"}
Take = Callable[[bytes], object]


class _Stale(Exception):
    """A kept connection ended before its answer began."""


class Limits(NamedTuple):
    """What a download is held to. ``what`` is the noun for what is downloaded, in errors."""

    max_bytes: int
    max_redirects: int = 3
    allowed_hosts: tuple[str, ...] = ()
    allow_private: bool = False
    what: str = "image"


def get(url: str, deadline: Deadline, **limits: Any) -> bytes:
    """Return the body at ``url`` before the ``deadline``, within the :class:`Limits` named by ``limits``.

    Raises InvalidRequest, SourceBlocked, SourceNotFound, SourceTimeout, SourceError or ImageTooLarge.
    """
    body = bytearray()
    stream(url, deadline, body.extend, Limits(**limits))
    return bytes(body)


def stream(url: str, deadline: Deadline, take: Take, limits: Limits) -> None:
    """Hand the body at ``url`` to ``take``, piece by piece; otherwise as :func:`get`."""
    here, left = parse(url), limits.max_redirects
    while True:
        if not allowed(here.host, limits.allowed_hosts):
            raise SourceBlocked(f"The host {here.host} is not among the hosts this function reads from.")
        onward = _ask(here, deadline, take, limits)
        if onward is None:
            return
        there = _redirected(here, onward)
        if not left:
            raise SourceError(f"{here.host} redirects more than {limits.max_redirects} times.", retryable=False)
        here, left = there, left - 1


def _redirected(here: Url, onward: str) -> Url:
    try:
        there = parse(urljoin(f"{here.scheme}://{here.netloc}{here.target}", onward))
    except (ValueError, InvalidRequest):  # the origin's fault, not the caller's
        raise SourceError(f"{here.host} redirects to something that is no URL.", retryable=False) from None
    if here.scheme == "https" and there.scheme != "https":
        raise SourceBlocked(f"{here.host} redirects from https to a URL that is not; that is not followed.")
    return there


def _ask(url: Url, deadline: Deadline, take: Take, limits: Limits) -> str | None:
    # Functions are frozen between calls, and what the other side closed meanwhile is found out only by asking: one
    # more try, on a new connection. A new one is not tried twice.
    key = pool.Key(url.scheme, url.host, url.port, limits.allow_private)

    def connection(kept: Any = None) -> GuardedConnection:
        return GuardedConnection(
            url, deadline, max_bytes=limits.max_bytes, allow_private=limits.allow_private, kept=kept
        )

    if (kept := pool.take(key)) is not None:
        try:
            return _exchange(url, connection(kept), key, take, limits)
        except _Stale:
            pass
    return _exchange(url, connection(), key, take, limits)


def _exchange(url: Url, connection: GuardedConnection, key: pool.Key, take: Take, limits: Limits) -> str | None:
    response: HTTPResponse | None = None
    whole = False
    try:
        accept = "image/*" if limits.what == "image" else "*/*"
        connection.request("GET", url.target, headers={"Host": url.netloc, "Accept": accept, **HEADERS})
        response = connection.getresponse()
        if connection.ended:  # http.client takes the end of the connection for the end of the head
            raise answer.ImproperHead
        answer.check_head(response)
        if response.status in REDIRECTS and (onward := response.headers.get("Location")):
            return onward
        answer.check(url.host, response, limits.what)
        connection.take_body()
        _body(url, response, take, limits)
        whole = not response.will_close
        return None
    except (HTTPException, OSError, ValueError) as error:
        if connection.kept and not connection.answered:
            raise _Stale from error
        # http.client's texts repeat what the origin sent; those words and our own path stay out of every log.
        raise _mapped(error, url, connection.deadline, limits.what) from None
    finally:
        if response is not None:
            response.close()
        if (sock := connection.finish(reuse=whole)) is not None:
            pool.put(key, sock)


def _mapped(error: Exception, url: Url, deadline: Deadline, what: str) -> SourceError:
    if isinstance(error, TimeoutError):
        return SourceTimeout(f"{url.host} did not deliver the {what} within {deadline.seconds:.3g} s.")
    if isinstance(error, HTTPException):
        kind = type(error).__name__
        return SourceError(f"{url.host} did not answer in proper HTTP, or not to the end ({kind}).")
    if isinstance(error, OSError):
        # Named by its class, not imported: ssl is not loaded where the origin is plain http.
        lasting = type(error).__name__ == "SSLCertVerificationError"
        failed = f"the connection failed ({error.strerror or error})"
        reason = "its certificate is not valid" if lasting else failed
        return SourceError(f"{url.host} cannot be read: {reason}.", retryable=not lasting)
    return SourceError(f"{url.host} did not answer in proper HTTP ({error}).")  # a chunk of a negative size


def _body(url: Url, response: HTTPResponse, take: Take, limits: Limits) -> None:
    what, max_bytes = limits.what, limits.max_bytes
    announced = response.length  # None where the body is chunked or ends with the connection
    if announced is not None and announced > max_bytes:
        raise ImageTooLarge(f"The {what} has {announced:,} bytes; at most {max_bytes:,} are accepted.")
    count = 0
    while chunk := response.read(CHUNK):
        count += len(chunk)
        if count > max_bytes:
            raise ImageTooLarge(f"The {what} has more than the {max_bytes:,} bytes that are accepted.")
        take(chunk)
    if announced is not None and count != announced:
        raise SourceError(f"{url.host} announced {announced:,} bytes and sent {count:,}.")
