"""Objects from stores, against a loopback origin that stands in for S3."""

import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.origin import Origin, Reply, drip, reset, response, serving, silence
from helpers.s3 import use_s3_at
from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import (
    ConfigError,
    DeadlineExceeded,
    ImageTooLarge,
    InvalidRequest,
    MlserverlessError,
    SourceBlocked,
    SourceError,
    SourceNotFound,
    SourceTimeout,
)

pytest.importorskip("obstore", reason="obstore, which reads the stores, is not installed")
HEAD = b"HTTP/1.1 200 OK\r\nLast-Modified: Wed, 12 Oct 2022 17:50:00 GMT\r\n"
BODY = b"\x89PNG..."


def read(url: str, seconds: float = 5, max_bytes: int = 1000, allowed_hosts: tuple[str, ...] = ()) -> bytes:
    return stores.read(url, Deadline(seconds), max_bytes=max_bytes, allowed_hosts=allowed_hosts)


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    with serving({"/bucket/a.png": response(BODY, Last_Modified="Wed, 12 Oct 2022 17:50:00 GMT")}) as running:
        use_s3_at(monkeypatch, running.url(""))
        yield running
    stores._store.cache_clear()


def fails(kind: type[MlserverlessError], origin: Origin, reply: Reply, **options: Any) -> MlserverlessError:
    origin.replies["/bucket/key"] = reply
    with pytest.raises(kind) as caught:
        read("s3://bucket/key", **options)
    assert type(caught.value) is kind
    return caught.value


@pytest.mark.parametrize("scheme", ["s3", "S3"])
def test_object_is_read(origin: Origin, scheme: str) -> None:
    assert read(f"{scheme}://bucket/a.png") == BODY
    assert origin.paths == ["/bucket/a.png"]


def test_store_is_kept_for_the_next_object(origin: Origin) -> None:
    for _ in range(5):
        read("s3://bucket/a.png")
    assert stores._store.cache_info().misses == 1


@pytest.mark.parametrize("status", ["404 Not Found"])
def test_missing_object_is_not_found(origin: Origin, status: str) -> None:
    error = fails(SourceNotFound, origin, response(b"<Error/>", status))
    assert str(error) == "There is no object s3://bucket/key."


@pytest.mark.parametrize("status", ["403 Forbidden", "401 Unauthorized"])
def test_forbidden_object_is_an_error_for_good(origin: Origin, status: str) -> None:
    error = fails(SourceError, origin, response(b"<Error/>", status))
    assert str(error) == "This function may not read s3://bucket/key."
    assert not error.retryable


@pytest.mark.parametrize(
    "reply",
    [
        response(b"", "500 Oops"),
        response(b"", "503 Slow Down"),
        response(b"", "429 Slow Down"),
        reset,
        b"hello\r\n\r\n",
        HEAD + b"Content-Length: 900\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
    ids=range(7),
)
def test_store_that_fails_for_now_is_retryable(origin: Origin, reply: Reply) -> None:
    error = fails(SourceError, origin, reply)
    assert str(error).startswith("The store could not deliver s3://bucket/key (")
    assert error.retryable


@pytest.mark.parametrize("status", ["400 Bad Request", "405 No", "416 Range"])
def test_store_that_refuses_does_so_for_good(origin: Origin, status: str) -> None:
    error = fails(SourceError, origin, response(b"<Error/>", status))
    assert str(error) == f"The store could not deliver s3://bucket/key (it answered {status[:3]})."
    assert not error.retryable


def test_error_has_no_words_of_the_store_in_it(origin: Origin) -> None:
    error = fails(SourceError, origin, response(b"sig=c4n4ry", "400 Bad Request"))
    told = "".join(traceback.format_exception(error))
    assert "c4n4ry" not in told
    assert "status code" not in told


def test_an_etag_is_asked_for_as_it_is_written(origin: Origin) -> None:
    assert stores.read("s3://bucket/a.png", Deadline(5), max_bytes=99, version="0x8D", pin="etag") == BODY
    assert 'if-match: "0x8d"' in origin.requests[0].lower()


def test_a_version_is_asked_for_in_the_query(origin: Origin) -> None:
    origin.replies["/bucket/a.png?versionId=3%2Fa"] = origin.replies["/bucket/a.png"]
    assert stores.read("s3://bucket/a.png", Deadline(5), max_bytes=99, version="3/a", pin="version") == BODY


def test_a_version_that_is_no_stores_own_is_not_asked_for(origin: Origin) -> None:
    """It may be the id of a message."""
    assert stores.read("s3://bucket/a.png", Deadline(5), max_bytes=99, version="m-1") == BODY
    assert origin.paths == ["/bucket/a.png"]
    assert "if-match" not in origin.requests[0].lower()


def test_what_has_been_overwritten_is_not_found_for_good(origin: Origin) -> None:
    origin.replies["/bucket/key"] = response(b"<Error/>", "412 Precondition Failed")
    with pytest.raises(SourceNotFound, match=r"^The object s3://bucket/key has been overwritten") as caught:
        stores.read("s3://bucket/key", Deadline(5), max_bytes=99, version="0x8D", pin="etag")
    assert not caught.value.retryable


@pytest.mark.parametrize("pin", ["etag", "version"])
@pytest.mark.parametrize("version", ["a\nb", "a\r\nX: y", "\x00", "\x7f", "\ud800"])
def test_a_version_that_fits_no_header_is_an_invalid_request(origin: Origin, pin: str, version: str) -> None:
    """Anybody may have written the message; obstore panics over it, past every ``except Exception``."""
    with pytest.raises(InvalidRequest):
        stores.read("s3://bucket/a.png", Deadline(5), max_bytes=99, version=version, pin=pin)
    assert origin.requests == []


def test_an_object_that_is_there_is_left(origin: Origin) -> None:
    origin.replies["/bucket/key"] = response(b"<Error/>", "412 Precondition Failed")
    stores.create("s3://bucket/key", b"{}", Deadline(5))
    assert "if-none-match: *" in origin.requests[0].lower()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("403 Forbidden", "This function may not write s3://bucket/key."),
        ("400 Bad Request", "The store could not keep s3://bucket/key (it answered 400)."),
        ("503 Slow Down", "The store could not keep s3://bucket/key (it answered 503)."),
    ],
)
def test_an_object_that_cannot_be_written_is_an_error(origin: Origin, status: str, told: str) -> None:
    origin.replies["/bucket/key"] = response(b"<Error/>", status)
    with pytest.raises(SourceError) as caught:
        stores.create("s3://bucket/key", b"{}", Deadline(5))
    assert str(caught.value) == told
    assert caught.value.retryable is status.startswith("5")


def test_what_may_not_be_asked_for_is_not_said_to_be_missing(origin: Origin) -> None:
    origin.replies["/bucket/key"] = response(b"", "403 Forbidden")
    with pytest.raises(SourceError, match=r"^This function may not look for s3://bucket/key\.$"):
        stores.exists("s3://bucket/key", Deadline(5))


def test_object_comes_in_pieces(origin: Origin) -> None:
    body, pieces = bytes(range(256)) * 16_384, list[bytes]()
    origin.replies["/bucket/key"] = response(body, Last_Modified="Mon, 23 Nov 2026 11:00:00 GMT", ETag='"e"')
    stores.stream("s3://bucket/key", Deadline(5), pieces.append, max_bytes=len(body))
    assert len(pieces) > 1
    assert b"".join(pieces) == body


@pytest.mark.parametrize(
    "reply",
    [silence, drip(HEAD, b"X: y\r\n"), drip(HEAD + b"Content-Length: 900\r\n\r\n", b"x")],
    ids=["silence", "headers", "body"],
)
def test_store_that_is_slow_is_cut_off_at_the_deadline(origin: Origin, reply: Reply) -> None:
    start = time.monotonic()
    error = fails(SourceTimeout, origin, reply, seconds=1)
    assert time.monotonic() - start < 2
    assert str(error) == "The store did not deliver s3://bucket/key in time."
    assert error.retryable


def test_object_that_is_too_large_is_refused_before_it_is_read(origin: Origin) -> None:
    error = fails(ImageTooLarge, origin, drip(HEAD + b"Content-Length: 1001\r\n\r\n", b"x"))
    assert str(error) == "The image has 1,001 bytes; at most 1,000 are accepted."
    assert read("s3://bucket/a.png", max_bytes=len(BODY)) == BODY


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("s3://", "s3://bucket/key"),
        ("s3://bucket", "s3://bucket/key"),
        ("s3://bucket/", "s3://bucket/key"),
        ("s3://bucket//", "s3://bucket/key"),
        ("s3:///key", "s3://bucket/key"),
        ("gs://bucket", "gs://bucket/object"),
        ("az://container", "az://container/blob"),
        ("s3://bu cket/key", "s3://bucket/key"),
        ("s3://b:80/key", "s3://bucket/key"),
        ("s3://user:secret@bucket/key", "s3://bucket/key"),
        ("s3://buck?et/key", "s3://bucket/key"),
        ("s3://[bad/key", "s3://bucket/key"),
        ("s3://bücket/key", "s3://bucket/key"),
    ],
)
def test_url_of_another_form_is_an_invalid_request(url: str, form: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"is not of the form {form}\.$") as caught:
        read(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["../other/key", "a/../b", "./a", "a//b", "\x00", "\ud800"])
def test_key_that_cannot_be_asked_for_is_an_invalid_request(origin: Origin, key: str) -> None:
    with pytest.raises(InvalidRequest, match="names no object: its key cannot be asked for"):
        read(f"s3://bucket/{key}")
    assert origin.requests == []


@pytest.mark.parametrize(
    ("allowed", "admitted"),
    [
        ((), True),
        (("s3://bucket",), True),
        (("h.example", "s3://bucket"), True),
        (("h.example",), False),
        (("s3://other",), False),
        (("gs://bucket",), False),
        (("bucket",), False),
    ],
)
def test_allow_list_holds_for_buckets(origin: Origin, allowed: tuple[str, ...], admitted: bool) -> None:
    if admitted:
        assert read("s3://bucket/a.png", allowed_hosts=allowed) == BODY
        return
    with pytest.raises(SourceBlocked, match=r"^s3://bucket is not among the places this function reads from\.$"):
        read("s3://bucket/a.png", allowed_hosts=allowed)
    assert origin.requests == []


def test_pattern_of_hosts_admits_no_bucket_of_such_a_name() -> None:
    with pytest.raises(SourceBlocked, match=r"^s3://evil\.example\.com is not among"):
        read("s3://evil.example.com/key", allowed_hosts=("*.example.com",))


def test_no_time_left_means_no_request(origin: Origin) -> None:
    with pytest.raises(DeadlineExceeded, match="before the object was asked for"):
        read("s3://bucket/a.png", 0)
    assert origin.requests == []


def test_without_obstore_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigError, match=r'^gs:// URLs need obstore: pip install "mlserverless\[stores\]"\.$'):
        read("gs://bucket/key")


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_every_scheme_has_its_store(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    asked: list[tuple[str, int]] = []

    class Store:
        def get(self, key: str, *, options: Any) -> Any:
            assert options is None
            raise FileNotFoundError(key)

    monkeypatch.setattr(stores, "_store", lambda place, seconds: asked.append((place, seconds)) or Store())
    with pytest.raises(SourceNotFound, match=rf"^There is no object {scheme}://bucket/a/b\.$"):
        read(f"{scheme}://bucket/a/b", 2.5)
    assert asked == [(f"{scheme}://bucket", 2)], "a few timeouts only, so that connections are found open"


@pytest.mark.parametrize("scheme", ["s3", "az"])
@pytest.mark.parametrize(
    ("code", "kept"),
    [("ConditionalRequestConflict", False), ("ContainerBeingDeleted", False), ("BlobAlreadyExists", True)],
)
def test_a_conflict_is_not_taken_for_a_result(
    scheme: str, code: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 answers 409 where a deletion got in between: nothing is there, and acknowledging loses the event."""
    refused = response(f"<Error><Code>{code}</Code></Error>".encode(), "409 Conflict")
    with serving({"/bucket/key": refused, "/account/bucket/key": refused}) as origin:
        use_s3_at(monkeypatch, origin.url(""))
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", origin.url("/account"))
        if kept:
            stores.create(f"{scheme}://bucket/key", b"{}", Deadline(5))
        else:
            with pytest.raises(SourceError, match="it answered 409") as caught:
                stores.create(f"{scheme}://bucket/key", b"{}", Deadline(5))
            assert caught.value.retryable


@pytest.mark.parametrize("url", ["s3://b//k", "s3://b/k/", "s3://./k", "gs://../k", "az://pics.v2/k", "az://../k"])
def test_an_address_that_would_be_another_is_not_asked_for(url: str) -> None:
    """obstore drops a slash at a key's ends and dots for a bucket, and knows no container with a dot."""
    with pytest.raises(InvalidRequest, match="is not of the form"):
        stores.place(url)


def test_obstore_is_imported_beforehand_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    stores.prepare()
    assert sys.modules["obstore"] is None, "a package without it has none of its stores to read"
