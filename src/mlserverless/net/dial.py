"""The connect step: a name is resolved once, every address of it is checked, and one of those is connected to.

If any of its addresses is denied the host is refused, and the connection is made to an address of that same
answer, so a second answer cannot differ.
"""

import socket
import threading
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import SourceBlocked, SourceError, SourceNotFound, SourceTimeout
from mlserverless.net.addresses import is_public
from mlserverless.net.timed import time_left
from mlserverless.net.url import Url

NOT_FOUND = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
MAX_NAME, MAX_LABEL = 253, 63  # RFC 1035, 2.3.4, as it is written


def connect(url: Url, deadline: Deadline, *, allow_private: bool) -> socket.socket:
    """Return a socket connected to ``url``'s host before the ``deadline``.

    Raises SourceBlocked, SourceNotFound, SourceTimeout or SourceError; OSError where no address answers.
    """
    found = _resolve(url, deadline)
    if not allow_private and not all(is_public(address[0]) for _, address in found):
        raise SourceBlocked(f"{url.host} leads to an address that is not on the public internet.")
    failure: OSError = TimeoutError()
    for family, address in found:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a machine without IPv6, or too many open files
            failure = error
            continue
        try:
            sock.settimeout(time_left(deadline))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not allow_private and not is_public(sock.getpeername()[0]):
                raise SourceBlocked(f"{url.host} led to an address that is not on the public internet.")
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _resolve(url: Url, deadline: Deadline) -> list[tuple[int, Any]]:
    # getaddrinfo cannot be given a timeout, so it runs aside; a thread that it holds up is left behind. It gets
    # bytes: for a text it would import the codec for names in other letters, which are plain ones by now.
    if len(url.host) > MAX_NAME or not all(0 < len(label) <= MAX_LABEL for label in url.host.split(".")):
        raise SourceNotFound(f"There is no host named {url.host}.")
    name, answer = url.host.encode("ascii"), list[Any]()
    if is_address(url.host):
        try:
            found = socket.getaddrinfo(name, url.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except OSError as error:
            raise SourceNotFound(f"There is no host named {url.host}.") from error
        return [(entry[0], entry[4]) for entry in found]

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(name, url.port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            answer.append(error)

    asking = threading.Thread(target=ask, name="getaddrinfo", daemon=True)
    try:
        asking.start()
    except RuntimeError as error:  # no thread is to be had
        raise SourceError(f"The name {url.host} cannot be resolved just now.") from error
    asking.join(time_left(deadline))
    if not answer:
        raise SourceTimeout(f"The name {url.host} was not resolved within {deadline.seconds:.3g} s.")
    if isinstance(answer[0], OSError) and not _unknown(answer[0]):
        raise SourceError(f"The name {url.host} cannot be resolved just now.") from answer[0]
    if isinstance(answer[0], Exception):
        raise SourceNotFound(f"There is no host named {url.host}.") from answer[0]
    return [(entry[0], entry[4]) for entry in answer[0]]


def is_address(host: str) -> bool:
    """Return whether ``host`` is an address, which needs no resolving."""
    return ":" in host or host.replace(".", "").isdigit()


def _unknown(error: OSError) -> bool:
    return isinstance(error, socket.gaierror) and error.errno in NOT_FOUND
