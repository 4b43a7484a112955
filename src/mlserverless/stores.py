"""s3://, gs:// and az:// objects -> bytes, through obstore (one wheel for the three, 12 ms of import).

Credentials and endpoints are the platform's: the variables that each cloud's own SDK reads (``AWS_*``,
``GOOGLE_*``, ``AZURE_STORAGE_*``), or the function's role.
"""

from collections.abc import Callable
from functools import lru_cache
from math import ceil
from string import ascii_letters, digits
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import (
    ConfigError,
    ImageTooLarge,
    InvalidRequest,
    SourceBlocked,
    SourceError,
    SourceNotFound,
    SourceTimeout,
)
from mlserverless.net.url import redact

CHUNK = 1 << 20
PASSING = ("408", "425", "429")
LASTING = ("InvalidPathError", "NotSupportedError", "UnknownConfigurationKeyError")
NAME = frozenset(ascii_letters + digits + "-._$")  # what the names of buckets and containers are made of
FORMS = {"s3": "s3://bucket/key", "gs": "gs://bucket/object", "az": "az://container/blob"}


def read(url: str, deadline: Deadline, *, max_bytes: int, allowed_hosts: tuple[str, ...] = ()) -> bytes:
    """Return the object at ``url``, of at most ``max_bytes`` bytes.

    ``allowed_hosts``, where given, must name the bucket as ``s3://bucket``. Raises InvalidRequest, SourceBlocked,
    SourceNotFound, SourceTimeout, SourceError or ImageTooLarge; ConfigError where obstore is not installed.
    """
    body = bytearray()
    stream(url, deadline, body.extend, max_bytes=max_bytes, allowed_hosts=allowed_hosts)
    return bytes(body)


def stream(
    url: str,
    deadline: Deadline,
    take: Callable[[bytes], object],
    *,
    max_bytes: int,
    allowed_hosts: tuple[str, ...] = (),
    what: str = "image",
) -> None:
    """Hand the object at ``url`` to ``take``, piece by piece; ``what`` is its noun. Otherwise as :func:`read`."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    bucket, _, key = rest.partition("/")
    if not key.strip("/") or not bucket or set(bucket) - NAME:  # another parser would read another bucket
        raise InvalidRequest(f"The url {redact(url)!r} is not of the form {FORMS[scheme]}.")
    # The whole name, not a pattern of hosts: *.example.com must not admit s3://mine.example.com, anyone's bucket.
    if allowed_hosts and f"{scheme}://{bucket}" not in allowed_hosts:
        raise SourceBlocked(f"{scheme}://{bucket} is not among the places this function reads from.")
    deadline.check("the object was asked for")
    try:
        from obstore import exceptions
    except ImportError as error:
        raise ConfigError(f'{scheme}:// URLs need obstore: pip install "mlserverless[stores]".') from error
    name = redact(f"{scheme}://{bucket}/{key}")
    # obstore's own texts tell the whole request, with what signs it, so none of them is passed on: "from None".
    try:
        found = _store(f"{scheme}://{bucket}", max(1, ceil(min(deadline.remaining(), 3600)))).get(key)
        size = found.meta["size"]
        if size > max_bytes:
            raise ImageTooLarge(f"The {what} has {size:,} bytes; at most {max_bytes:,} are accepted.")
        for chunk in found.stream(min_chunk_size=CHUNK):
            take(bytes(chunk))
    except (FileNotFoundError, exceptions.NotFoundError):
        raise SourceNotFound(f"There is no object {name}.") from None
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
        raise SourceError(f"This function may not read {name}.", retryable=False) from None
    except exceptions.BaseError as error:
        # obstore has one class for all of these; its text ends in a dump of the cause
        if "kind: Timeout" in str(error) or deadline.remaining() <= 0:
            raise SourceTimeout(f"The store did not deliver {name} in time.") from None
        status = str(error).partition("status code: ")[2][:3]
        said = f"it answered {status}" if status else type(error).__name__
        lasting = type(error).__name__ in LASTING or (status[:1] == "4" and status not in PASSING)
        raise SourceError(f"The store could not deliver {name} ({said}).", retryable=not lasting) from None
    except TimeoutError:
        raise SourceTimeout(f"The store did not deliver {name} in time.") from None
    except OSError as error:
        raise SourceError(f"The store could not deliver {name} ({type(error).__name__}).") from None
    except ValueError:  # obstore takes no key with an empty segment, "." or ".."
        raise InvalidRequest(f"The url {redact(url)!r} names no object: its key cannot be asked for.") from None


@lru_cache(maxsize=16)
def _store(place: str, seconds: int) -> Any:
    from datetime import timedelta

    from obstore.store import from_url

    # An endpoint set by the platform's own variable may be plain http (an emulator); the default ones never are.
    limit = timedelta(seconds=seconds)
    return from_url(
        place,
        client_options={"timeout": limit, "allow_http": True},
        retry_config={"max_retries": 2, "retry_timeout": limit},
    )
