"""s3://, gs:// and az:// objects -> bytes, through obstore (one wheel for the three, 12 ms of import).

Credentials and endpoints are the platform's: the variables that each cloud's own SDK reads (``AWS_*``,
``GOOGLE_*``, ``AZURE_STORAGE_*``), or the function's role.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
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
THERE = ("BlobAlreadyExists", "BlobImmutableDueToPolicy")  # Azure's words for a 409 over a blob that is there
MAY = {"deliver": "read", "keep": "write", "tell of": "look for", "list": "list"}
STEPS_S = (300, 60, 30, 15, 10, 8, 6, 4, 3, 2, 1)
PASSING = ("408", "425", "429")
LASTING = ("InvalidPathError", "NotSupportedError", "UnknownConfigurationKeyError")
NAME = frozenset(ascii_letters + digits + "-._$")  # what the names of buckets and containers are made of
FORMS = {"s3": "s3://bucket/key", "gs": "gs://bucket/object", "az": "az://container/blob"}


def read(
    url: str,
    deadline: Deadline,
    *,
    max_bytes: int,
    allowed_hosts: tuple[str, ...] = (),
    version: str = "",
    pin: str = "",
) -> bytes:
    """Return the object at ``url``, of at most ``max_bytes`` bytes.

    ``allowed_hosts``, where given, must name the bucket as ``s3://bucket``. ``pin`` says what ``version`` is, a
    ``"version"`` (S3's version id, Cloud Storage's generation) or an ``"etag"``, and nothing else is read then.
    Raises InvalidRequest, SourceBlocked, SourceNotFound, SourceTimeout, SourceError or ImageTooLarge; ConfigError
    where obstore is not installed.
    """
    if pin and not (version.isascii() and version.isprintable()):  # obstore panics over what fits no header
        raise InvalidRequest("The version that was asked for is none of a store's.")
    body = bytearray()
    options = {"version": version} if pin == "version" else {"if_match": f'"{version}"'} if pin == "etag" else {}
    stream(url, deadline, body.extend, max_bytes=max_bytes, allowed_hosts=allowed_hosts, options=options)
    return bytes(body)


def stream(
    url: str,
    deadline: Deadline,
    take: Callable[[bytes], object],
    *,
    max_bytes: int,
    allowed_hosts: tuple[str, ...] = (),
    what: str = "image",
    options: dict[str, str] | None = None,
) -> None:
    """Hand the object at ``url`` to ``take``, piece by piece; ``what`` is its noun. Otherwise as :func:`read`."""
    bucket, key = place(url)
    # The whole name, not a pattern of hosts: *.example.com must not admit s3://mine.example.com, anyone's bucket.
    if allowed_hosts and bucket not in allowed_hosts:
        raise SourceBlocked(f"{bucket} is not among the places this function reads from.")
    deadline.check("the object was asked for")
    with _told(url, deadline, "deliver"):
        found = _store(bucket, _seconds(deadline)).get(key, options=options or None)
        size = found.meta["size"]
        if size > max_bytes:
            raise ImageTooLarge(f"The {what} has {size:,} bytes; at most {max_bytes:,} are accepted.")
        for chunk in found.stream(min_chunk_size=CHUNK):
            take(bytes(chunk))


def create(url: str, data: bytes, deadline: Deadline) -> None:
    """Write ``data`` to a new object at ``url``; one that is there stays as it is. Raises as :func:`read`."""
    bucket, key = place(url)
    with _told(url, deadline, "keep") as exceptions:
        try:
            # One request, never parts, whose completion would not be create-only.
            _store(bucket, _seconds(deadline)).put(key, data, mode="create", use_multipart=False)
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError, FileExistsError) as error:
            # obstore calls every 409 "already exists". From S3 it says that another request got in between, and
            # nothing may be there (S3 API reference, PutObject, conditional writes: "retry the upload").
            if "status code: 409" in str(error) and not any(code in str(error) for code in THERE):
                raise SourceError(f"The store could not keep {redact(url)} (it answered 409).") from None
            return
        except exceptions.PermissionDeniedError:
            # Who may create but not replace is told so by some stores before they look whether it is there.
            with suppress(SourceError):
                if exists(url, deadline):
                    return
            raise


def exists(url: str, deadline: Deadline) -> bool:
    """Return whether there is an object at ``url``. Raises as :func:`read`."""
    bucket, key = place(url)
    try:
        with _told(url, deadline, "tell of"):
            _store(bucket, _seconds(deadline)).head(key)
    except SourceNotFound:
        return False
    return True


def listed(prefix: str) -> Iterator[str]:
    """Yield the URL of each object below ``prefix``, s3://bucket or s3://bucket/folder, in the store's order.

    They are asked for a thousand at a time. Raises as :func:`read`.
    """
    scheme, _, rest = prefix.partition("://")
    name, _, folder = rest.partition("/")
    folder = folder.strip("/")
    url = f"{scheme}://{name}/{folder or '*'}"
    bucket, _ = place(url)
    with _told(url, Deadline(), "list"):
        for chunk in _store(bucket, STEPS_S[0]).list(folder or None, chunk_size=1000):
            yield from (f"{bucket}/{found['path']}" for found in chunk)


def prepare() -> None:
    """Import obstore now, where it is installed, instead of with the first object."""
    with suppress(ImportError):
        import obstore.store  # noqa: F401


def forget() -> None:
    """Let go of every store that is kept, with its connections and its credentials."""
    _store.cache_clear()


def place(url: str) -> tuple[str, str]:
    """Return the bucket as ``s3://bucket``, and the key; raise InvalidRequest for another form."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    bucket, _, key = rest.partition("/")
    # Another parser would read another bucket; obstore drops a slash at a key's ends, and reads another object.
    dotted = not bucket.strip(".") or (scheme == "az" and "." in bucket)
    if not key or key != key.strip("/") or dotted or set(bucket) - NAME:
        raise InvalidRequest(f"The url {redact(url)!r} is not of the form {FORMS[scheme]}.")
    return f"{scheme}://{bucket}", key


def _seconds(deadline: Deadline) -> int:
    # A store is a pool of connections, kept for each timeout: a few of those, so that most requests find one open.
    left = deadline.remaining()
    return next((step for step in STEPS_S if step <= left), 1)


@contextmanager
def _told(url: str, deadline: Deadline, verb: str) -> Iterator[Any]:
    """Turn whatever obstore raises into one of our errors; yield its exceptions."""
    bucket, key = place(url)
    try:
        from obstore import exceptions
    except ImportError as error:
        scheme = bucket.partition(":")[0]
        raise ConfigError(f'{scheme}:// URLs need obstore: pip install "mlserverless[stores]".') from error
    name = redact(f"{bucket}/{key}")
    # obstore's own texts tell the whole request, with what signs it, so none of them is passed on: "from None".
    try:
        yield exceptions
    except exceptions.PreconditionError:
        raise SourceNotFound(
            f"The object {name} has been overwritten since: that is an event of its own."
        ) from None
    except (FileNotFoundError, exceptions.NotFoundError):
        if verb == "keep":
            told = f"There is no {bucket} to write to."
            raise SourceError(told, retryable=False, deployment=True) from None
        raise SourceNotFound(f"There is no object {name}.") from None
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
        told = f"This function may not {MAY[verb]} {name}."
        raise SourceError(told, retryable=False, deployment=True) from None
    except exceptions.BaseError as error:
        # obstore has one class for all of these; its text ends in a dump of the cause
        if "kind: Timeout" in str(error) or deadline.remaining() <= 0:
            raise SourceTimeout(f"The store did not {verb} {name} in time.") from None
        status = str(error).partition("status code: ")[2][:3]
        said = f"it answered {status}" if status else type(error).__name__
        lasting = type(error).__name__ in LASTING or (status[:1] == "4" and status not in PASSING)
        raise SourceError(f"The store could not {verb} {name} ({said}).", retryable=not lasting) from None
    except TimeoutError:
        raise SourceTimeout(f"The store did not {verb} {name} in time.") from None
    except OSError as error:
        raise SourceError(f"The store could not {verb} {name} ({type(error).__name__}).") from None
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
