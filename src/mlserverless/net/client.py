"""One GET: redirects followed and checked anew, bytes capped, every failure one of our errors."""

from collections.abc import Callable
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest, SourceBlocked, SourceError, SourceTimeout
from mlserverless.named_tuple import NamedTuple
from mlserverless.net import answer, pool
from mlserverless.net.connection import GuardedConnection
from mlserverless.net.head import Improper
from mlserverless.net.response import Response
from mlserverless.net.url import Url, allowed, parse

REDIRECTS = (301, 302, 303, 307, 308)
Take = Callable[[bytes], object]
Read = Callable[[Response], bytes]


class _Stale(Exception):
    """A kept connection ended before its answer began."""


class Limits(NamedTuple):
    """What a download is held to. ``what`` is the noun for what is downloaded, in errors.

    ``meanwhile`` is called when a wait for the origin begins: for work that may be done in it. ``trace`` is the
    ``traceparent`` that the URL's host is told; another host that it redirects to was not named by the caller, and
    is told nothing.
    """

    max_bytes: int
    max_redirects: int = 3
    allowed_hosts: tuple[str, ...] = ()
    allow_private: bool = False
    what: str = "image"
    meanwhile: Callable[[], None] | None = None
    trace: str = ""


def get(url: str, deadline: Deadline, **limits: Any) -> bytes:
    """Return the body at ``url`` before the ``deadline``, within the :class:`Limits` named by ``limits``.

    Raises InvalidRequest, SourceBlocked, SourceNotFound, SourceTimeout, SourceError or ImageTooLarge.
    """
    return _follow(url, deadline, Response.whole, Limits(**limits))


def stream(url: str, deadline: Deadline, take: Take, limits: Limits) -> None:
    """Hand the body at ``url`` to ``take``, piece by piece; otherwise as :func:`get`."""

    def read(response: Response) -> bytes:
        for piece in response.pieces():
            take(piece)
        return b""

    _follow(url, deadline, read, limits)


def _follow(url: str, deadline: Deadline, read: Read, limits: Limits) -> bytes:
    here, left = parse(url), limits.max_redirects
    while True:
        if not allowed(here.host, limits.allowed_hosts):
            raise SourceBlocked(f"The host {here.host} is not among the hosts this function reads from.")
        found = _ask(here, deadline, read, limits)
        if isinstance(found, bytes):
            return found
        there = _redirected(here, found)
        if not left:
            raise SourceError(f"{here.host} redirects more than {limits.max_redirects} times.", retryable=False)
        if limits.trace and there.host != here.host:
            limits = limits._replace(trace="")
        here, left = there, left - 1


def _redirected(here: Url, onward: str) -> Url:
    from mlserverless.net.relative import join  # few URLs redirect

    try:
        there = join(here, onward)
    except InvalidRequest:  # the origin's fault, not the caller's
        raise SourceError(f"{here.host} redirects to something that is no URL.", retryable=False) from None
    if here.scheme == "https" and there.scheme != "https":
        raise SourceBlocked(f"{here.host} redirects from https to a URL that is not; that is not followed.")
    return there


def _ask(url: Url, deadline: Deadline, read: Read, limits: Limits) -> bytes | str:
    # Functions are frozen between calls, and what the other side closed meanwhile is found out only by asking: one
    # more try, on a new connection. A new one is not tried twice.
    key = pool.Key(url.scheme, url.host, url.port, limits.allow_private)
    if (kept := pool.take(key)) is not None:
        try:
            return _exchange(url, deadline, read, limits, key, kept)
        except _Stale:
            pass
    return _exchange(url, deadline, read, limits, key)


def _exchange(
    url: Url, deadline: Deadline, read: Read, limits: Limits, key: pool.Key, kept: Any = None
) -> bytes | str:
    # The body, or where it is to be looked for instead.
    connection = GuardedConnection(url, deadline, allow_private=limits.allow_private, kept=kept)
    clean = False
    try:
        connection.ask("image/*" if limits.what == "image" else "*/*", limits.meanwhile, limits.trace)
        response = Response(connection.timed, limits.max_bytes, limits.what)
        head = response.head()
        if head.status in REDIRECTS and head.location:
            return head.location.decode("utf-8", "surrogateescape")  # what is not UTF-8 is no URL
        answer.check(url.host, head, limits.what)
        body = read(response)
        clean = response.clean
        return body
    except (Improper, OSError, ValueError) as error:
        if kept is not None and not connection.timed.answered:
            raise _Stale from error
        # What is told is in words of ours: neither what the origin sent nor our own path gets into a log.
        raise _mapped(error, url, deadline, limits.what) from None
    finally:
        if (sock := connection.finish(reuse=clean)) is not None:
            pool.put(key, sock)


def _mapped(error: Exception, url: Url, deadline: Deadline, what: str) -> SourceError:
    if isinstance(error, TimeoutError):
        return SourceTimeout(f"{url.host} did not deliver the {what} within {deadline.seconds:.3g} s.")
    if isinstance(error, Improper):
        return SourceError(f"{url.host} {error}.")
    if isinstance(error, OSError):
        # Named by its class, not imported: ssl is not loaded where the origin is plain http.
        lasting = type(error).__name__ == "SSLCertVerificationError"
        failed = f"the connection failed ({error.strerror or error})"
        reason = "its certificate is not valid" if lasting else failed
        return SourceError(f"{url.host} cannot be read: {reason}.", retryable=not lasting)
    return SourceError(f"{url.host} cannot be read: the connection failed.")  # a name that TLS cannot ask for
