"""Objects read from moto's S3 server, keys with their literal characters."""

import http.client
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from helpers.s3 import moto_server, use_s3_at
from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest, SourceError, SourceNotFound

pytest.importorskip("obstore", reason="obstore, which reads the stores, is not installed")
BODY = b"\x89PNG..."


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    signed = "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"
    with moto_server() as (host, port):
        for path, body in (("/photos", b""), ("/photos/a/b%20c.png", BODY), ("/photos/q%3Fx%2541", b"odd")):
            connection = http.client.HTTPConnection(host, port)
            connection.request("PUT", path, body, {"Authorization": signed})
            assert connection.getresponse().status == 200
            connection.close()
        yield f"http://{host}:{port}"


@pytest.fixture
def s3(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client of a bucket "kept", whose objects have versions."""
    use_s3_at(monkeypatch, moto)
    client = pytest.importorskip("boto3").client("s3")
    client.create_bucket(Bucket="kept")
    client.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    return client


def test_an_object_is_created_once(s3: Any) -> None:
    assert not stores.exists("s3://kept/new/1.json", Deadline(5))
    stores.create("s3://kept/new/1.json", b"first", Deadline(5))
    stores.create("s3://kept/new/1.json", b"second", Deadline(5))
    assert s3.get_object(Bucket="kept", Key="new/1.json")["Body"].read() == b"first"
    assert stores.exists("s3://kept/new/1.json", Deadline(5))


def test_the_version_that_an_event_names_is_read_though_there_is_a_newer(s3: Any) -> None:
    old = s3.put_object(Bucket="kept", Key="a.png", Body=b"old")
    s3.put_object(Bucket="kept", Key="a.png", Body=b"new")
    read = partial(stores.read, "s3://kept/a.png", Deadline(5), max_bytes=10)
    assert read(version=old["VersionId"], pin="version") == b"old"
    assert read(version=old["VersionId"]) == b"new", "without a pin it is only a name"
    with pytest.raises(SourceNotFound, match="has been overwritten since"):
        read(version=old["ETag"].strip('"'), pin="etag")


def test_a_bucket_that_is_not_there_has_no_object_and_takes_none(s3: Any) -> None:
    assert not stores.exists("s3://no-such-bucket/1.json", Deadline(5))
    with pytest.raises(SourceError):
        stores.create("s3://no-such-bucket/1.json", b"", Deadline(5))


@pytest.mark.parametrize(("key", "body"), [("a/b c.png", BODY), ("q?x%41", b"odd")])
def test_s3_object_is_read_by_its_literal_key(
    moto: str, monkeypatch: pytest.MonkeyPatch, key: str, body: bytes
) -> None:
    use_s3_at(monkeypatch, moto)
    assert stores.read(f"s3://photos/{key}", Deadline(5), max_bytes=1000) == body


@pytest.mark.parametrize("url", ["s3://photos/none.png", "s3://no-such-bucket/a.png", "s3://photos/a/b%20c.png"])
def test_s3_object_that_is_not_there(moto: str, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    use_s3_at(monkeypatch, moto)
    with pytest.raises(SourceNotFound) as caught:
        stores.read(url, Deadline(5), max_bytes=1000)
    assert str(caught.value) == f"There is no object {url}."


@pytest.mark.parametrize("prefix", ["s3://listed/x", "s3://listed/x/", "S3://listed/x"])
def test_what_is_below_a_prefix_is_listed_in_order(s3: Any, prefix: str) -> None:
    if "listed" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="listed")
        for key in ("x/b c.png", *(f"x/{number:04}.png" for number in range(1001)), "xy.png", "a.png"):
            s3.put_object(Bucket="listed", Key=key, Body=b"")
    expected = [*(f"s3://listed/x/{number:04}.png" for number in range(1001)), "s3://listed/x/b c.png"]
    assert list(stores.listed(prefix)) == expected


def test_a_whole_bucket_is_listed_and_what_is_listed_can_be_read(
    moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_s3_at(monkeypatch, moto)
    for prefix in ("s3://photos", "s3://photos/"):
        assert list(stores.listed(prefix)) == ["s3://photos/a/b c.png", "s3://photos/q?x%41"]
    assert stores.read(next(stores.listed("s3://photos")), Deadline(5), max_bytes=1000) == BODY
    assert list(stores.listed("s3://photos/none")) == []


def test_a_bucket_that_cannot_be_listed_is_told(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_s3_at(monkeypatch, moto)
    with pytest.raises(SourceError, match=r"^The store could not list s3://no-such-bucket/\* \(it answered 404\)"):
        list(stores.listed("s3://no-such-bucket"))
    with pytest.raises(InvalidRequest, match="is not of the form s3://bucket/key"):
        list(stores.listed("s3://"))
