"""Other libraries' exceptions, found by looking into the libraries: each becomes an error of ours at its boundary.

What is expected of each is written down by hand, so that one which a later release adds fails here until somebody
has thought about it.
"""

import builtins
import importlib
import inspect
import logging
import pkgutil
import socket
import ssl
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import PIL
import pytest

from helpers import child
from helpers.hostile import IMAGE, lengths
from helpers.origin import Origin, ended, serving
from helpers.origin import each as one_by_one
from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import MlserverlessError, SourceError
from mlserverless.formats import PLUGINS, open_image
from mlserverless.net import connection, pool
from mlserverless.net.client import get
from mlserverless.net.timed import TimedSocket
from mlserverless.prepare import prepare_image
from mlserverless.serving import problem

LATER, NEVER = ("source-error", True), ("source-error", False)
LATE, MISSING = ("source-timeout", True), ("source-not-found", False)
# What each is told as, and whether it may pass.
OS = {
    **dict.fromkeys(
        (
            *("OSError", "BlockingIOError", "ChildProcessError", "ConnectionError", "BrokenPipeError"),
            *("ConnectionAbortedError", "ConnectionRefusedError", "ConnectionResetError", "FileExistsError"),
            *("FileNotFoundError", "InterruptedError", "IsADirectoryError", "NotADirectoryError"),
            *("PermissionError", "ProcessLookupError"),
        ),
        LATER,
    ),
    "TimeoutError": LATE,
}
TLS = {
    **dict.fromkeys(
        *[
            (
                "SSLError",
                "SSLZeroReturnError",
                "SSLWantReadError",
                "SSLWantWriteError",
                "SSLSyscallError",
                "SSLEOFError",
            )
        ],
        LATER,
    ),
    "SSLCertVerificationError": NEVER,
}
RESOLVER = {
    **dict.fromkeys(
        (
            *("EAI_ADDRFAMILY", "EAI_AGAIN", "EAI_BADFLAGS", "EAI_FAIL", "EAI_FAMILY", "EAI_MEMORY"),
            *("EAI_OVERFLOW", "EAI_SERVICE", "EAI_SOCKTYPE", "EAI_SYSTEM"),
        ),
        LATER,
    ),
    "EAI_NODATA": MISSING,
    "EAI_NONAME": MISSING,
}
VALUES = dict.fromkeys(
    ("ValueError", "UnicodeError", "UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError"), LATER
)
STORE = {
    **dict.fromkeys(("AlreadyExistsError", "BaseError", "GenericError", "JoinError"), LATER),
    "NotModifiedError": LATER,
    "PreconditionError": MISSING,  # another object is there by now, which has an event of its own
    **dict.fromkeys(("InvalidPathError", "NotSupportedError", "UnknownConfigurationKeyError"), NEVER),
    "NotFoundError": MISSING,
    **dict.fromkeys(("PermissionDeniedError", "UnauthenticatedError"), NEVER),
}
PILLOW = {
    *("UnidentifiedImageError", "DecompressionBombError", "DecompressionBombWarning"),
    *("BLPFormatError", "PyCMSError", "PdfFormatError"),
}
DECODING = (
    *(OSError, SyntaxError, ValueError, RuntimeError, NotImplementedError, RecursionError, IndexError, KeyError),
    *(TypeError, ZeroDivisionError, OverflowError, EOFError, AttributeError, AssertionError, UnicodeDecodeError),
    *(struct.error, zlib.error, BufferError, TimeoutError, Warning),
)
# Those that cannot be made from a text alone.
ARGUMENTS: dict[type[BaseException], tuple[Any, ...]] = {
    UnicodeDecodeError: ("utf-8", b"secret", 0, 1, "secret"),
    UnicodeEncodeError: ("utf-8", "secret", 0, 1, "secret"),
    UnicodeTranslateError: ("secret", 0, 1, "secret"),
    ExceptionGroup: ("secret", [ValueError("secret")]),
}
Boundary = Callable[[pytest.MonkeyPatch, Exception], None]


def make(kind: type[Exception]) -> Exception:
    return kind(*ARGUMENTS.get(kind, ("secret",)))


def defined(module: ModuleType, base: type[BaseException] = Exception) -> dict[str, type[Exception]]:
    """Return the exceptions that ``module`` itself defines, by name."""
    found = inspect.getmembers(module, lambda value: inspect.isclass(value) and issubclass(value, base))
    return {kind.__name__: kind for _, kind in found if kind.__module__ == module.__name__}


def codes() -> dict[str, int]:
    return {name: value for name, value in vars(socket).items() if name.startswith("EAI_")}


def pillow() -> dict[str, type[Exception]]:
    """Return the exceptions that Pillow's modules define; those for windows, and the report, are left out."""
    found = {"UnidentifiedImageError": PIL.UnidentifiedImageError}
    for module in pkgutil.iter_modules(PIL.__path__):
        if not module.name.startswith("_") and module.name not in ("report", "ImageTk", "ImageQt"):
            with suppress(ImportError):  # olefile
                found.update(defined(importlib.import_module(f"PIL.{module.name}")))
    return found


def test_every_exception_is_in_the_tables() -> None:
    assert set(defined(builtins, OSError)) == set(OS)
    assert set(defined(ssl)) == set(TLS)
    assert set(codes()) <= set(RESOLVER)  # not every platform has all
    assert set(defined(builtins, ValueError)) == set(VALUES)
    assert set(pillow()) == PILLOW


# --- the client ---


def sending(patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(TimedSocket, "sendall", raising(error))


def connecting(patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(socket.socket, "connect", raising(error))


def beginning(patch: pytest.MonkeyPatch, error: Exception) -> None:
    """The answer does not begin."""
    patch.setattr(TimedSocket, "receive", raising(error))


def continuing(patch: pytest.MonkeyPatch, error: Exception) -> None:
    """The answer begins, and does not go on."""
    receive, read = TimedSocket.receive, list[TimedSocket]()

    def receive_once(self: TimedSocket, buffer: Any) -> int:
        if self in read:
            raise error
        read.append(self)
        return receive(self, buffer)

    patch.setattr(TimedSocket, "receive", receive_once)


def wrapping(patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(connection, "_contexts", [Context(error, at_once=True)])


def shaking(patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(connection, "_contexts", [Context(error, at_once=False)])


class Context:
    """A TLS context that fails, when it wraps a socket or in the handshake."""

    def __init__(self, error: Exception, *, at_once: bool) -> None:
        self.error, self.at_once = error, at_once

    def wrap_socket(self, raw: socket.socket, **_: Any) -> "Context":
        if self.at_once:
            raise self.error
        self.settimeout, self.close = raw.settimeout, raw.close
        return self

    def do_handshake(self) -> None:
        raise self.error


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.fixture
def origin() -> Iterator[Origin]:
    pool.clear()
    with serving({"/": one_by_one(lengths(b"1000"), ended)}) as running:
        yield running


SOCKETS = {**OS, **VALUES}
KINDS = {
    kind: (*expected, boundaries)
    for module, table, boundaries in (
        (builtins, SOCKETS, (connecting, sending, beginning, continuing, wrapping, shaking)),
        (ssl, TLS, (wrapping, shaking, sending, beginning, continuing)),
    )
    for name, expected in table.items()
    if (kind := getattr(module, name))
}


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [(kind, boundary) for kind, (*_, boundaries) in KINDS.items() for boundary in boundaries],
    ids=lambda value: value.__name__,
)
def test_client(
    kind: type[Exception], boundary: Boundary, monkeypatch: pytest.MonkeyPatch, origin: Origin
) -> None:
    boundary(monkeypatch, make(kind))
    url = origin.url()
    check(url.replace("http", "https") if boundary in (wrapping, shaking) else url, *KINDS[kind][:2])


@pytest.mark.parametrize("name", codes())
def test_resolver(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", raising(socket.gaierror(codes()[name], "secret")))
    check("http://h.example/", *RESOLVER[name])


@pytest.mark.parametrize(
    "kind", [*defined(builtins, OSError).values(), socket.herror], ids=lambda kind: kind.__name__
)
def test_resolver_that_lacks_something(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Files to open, for one: that says nothing about the name."""
    monkeypatch.setattr(socket, "getaddrinfo", raising(make(kind)))
    check("http://h.example/", *LATER)


@pytest.mark.parametrize("kind", defined(builtins, ValueError).values(), ids=lambda kind: kind.__name__)
def test_resolver_that_takes_no_such_name(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", raising(make(kind)))
    check("http://h.example/", *MISSING)


def check(url: str, code: str, retryable: bool) -> None:
    with pytest.raises(SourceError) as caught:
        get(url, Deadline(5), max_bytes=2000, allow_private=True)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


def test_client_imports_no_other_client() -> None:
    """Whose exceptions would have to be in the tables, too; and each costs a cold start milliseconds."""
    costly = ("http", "email", "ssl", "urllib", "ipaddress", "encodings.idna", "string")
    code = f"""
import json, sys, threading
before = set(sys.modules)  # a measured run has imported more
from mlserverless.deadline import Deadline
from mlserverless.errors import SourceError
from mlserverless.net.client import get
try:
    get("http://127.0.0.1:1/", Deadline(5), max_bytes=10, allow_private=True)
except SourceError as error:
    assert "Connection refused" in str(error), error
print(json.dumps([name for name in {costly!r} if name in set(sys.modules) - before]))
"""
    assert child.run(code, Path(__file__).parent) == []


# --- the stores ---


def store_exceptions() -> dict[str, type[Exception]]:
    obstore = pytest.importorskip("obstore.exceptions", reason="obstore, which reads the stores, is not installed")
    return dict(inspect.getmembers(obstore, inspect.isclass))


def test_every_exception_of_the_stores_is_in_the_table() -> None:
    assert set(store_exceptions()) == set(STORE)


class Found:
    """An object that is there, and whose bytes are not."""

    meta = {"size": 10}  # noqa: RUF012

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get(self, key: str, *, options: Any) -> "Found":
        return self

    def stream(self, **_: Any) -> Any:
        raise self.error


class Missing(Found):
    """An object that cannot be asked for."""

    def get(self, key: str, *, options: Any = None) -> Found:
        raise self.error

    def head(self, key: str) -> Any:
        raise self.error

    def put(self, key: str, data: bytes, **_: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("store", [Missing, Found])
@pytest.mark.parametrize("name", [*STORE, "OSError", "TimeoutError", "ConnectionResetError"])
def test_store(name: str, store: type[Found], monkeypatch: pytest.MonkeyPatch) -> None:
    kind = store_exceptions().get(name) or getattr(builtins, name)
    monkeypatch.setattr(stores, "_store", lambda *_: store(make(kind)))
    with pytest.raises(SourceError) as caught:
        stores.read("s3://bucket/key", Deadline(5), max_bytes=1000)
    assert (caught.value.code, caught.value.retryable) == (STORE.get(name) or OS[name])
    assert "secret" not in str(caught.value)


def told(name: str, monkeypatch: pytest.MonkeyPatch, do: Callable[[str, Deadline], object]) -> tuple[str, bool]:
    """Return the code of what ``do`` raises where the store raises ``name``, and whether it may pass."""
    kind = store_exceptions().get(name) or getattr(builtins, name)
    monkeypatch.setattr(stores, "_store", lambda *_: Missing(make(kind)))
    with pytest.raises(SourceError) as caught:
        do("s3://bucket/key", Deadline(5))
    assert "secret" not in str(caught.value)
    return caught.value.code, caught.value.retryable


THERE = {"AlreadyExistsError", "PreconditionError", "FileExistsError"}
STORE_OR_OS = [*STORE, "OSError", "TimeoutError", "ConnectionResetError", "FileExistsError"]


@pytest.mark.parametrize("name", [name for name in STORE_OR_OS if name not in THERE])
def test_store_that_does_not_write(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code = told(name, monkeypatch, lambda url, deadline: stores.create(url, b"{}", deadline))
    missing = name == "NotFoundError"  # of a write it is the bucket that is not there: the deployment's fault
    assert code == (("source-error", False) if missing else STORE.get(name) or OS[name])


@pytest.mark.parametrize("name", sorted(THERE))
def test_store_that_has_such_an_object_leaves_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = store_exceptions().get(name) or getattr(builtins, name)
    monkeypatch.setattr(stores, "_store", lambda *_: Missing(make(kind)))
    stores.create("s3://bucket/key", b"{}", Deadline(5))


@pytest.mark.parametrize("name", [name for name in STORE_OR_OS if STORE.get(name) != MISSING])
def test_store_that_does_not_tell_what_it_has(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(name, monkeypatch, stores.exists) == (STORE.get(name) or OS[name])


# --- Pillow ---


@pytest.mark.parametrize("kind", [*pillow().values(), *DECODING, MemoryError], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("when", ["open", "load"])
def test_decoder(kind: type[Exception], when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_image(IMAGE).close()  # the plugin is registered
    module, name = PLUGINS["png"]
    if when == "open":
        monkeypatch.setitem(importlib.import_module("PIL.Image").OPEN, name, (raising(make(kind)), None))
    else:
        monkeypatch.setattr(importlib.import_module(f"PIL.{module}").PngImageFile, "load", raising(make(kind)))
    with pytest.raises(MlserverlessError) as caught:
        prepare_image(IMAGE, (4, 4))
    assert caught.value.code == ("image-too-large" if kind is MemoryError else "undecodable-image")
    assert not caught.value.retryable


# --- everything else ---


@pytest.mark.parametrize("kind", defined(builtins).values(), ids=lambda kind: kind.__name__)
def test_what_is_not_ours_is_told_as_internal(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "mlserverless")
    try:
        raise make(kind)
    except kind as error:
        told = problem(error, "id-1")
    assert (told.code, told.status, told.retryable, told.headers) == ("internal", 500, True, ())
    assert "secret" not in repr(told)
    assert kind.__name__ not in repr(told)
    (record,) = caplog.records
    assert "id-1" in record.getMessage()
    assert "test_what_is_not_ours_is_told_as_internal" in caplog.text  # the traceback
    assert kind.__name__ in caplog.text
