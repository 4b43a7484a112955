"""Each store's own words for an object that was written: which object, in which version."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlserverless.errors import InvalidRequest
from mlserverless.events import Found, objects
from mlserverless.types import Request

EVENTS = Path(__file__).parents[2] / "events"


def record(name: str, at: int = 0) -> dict[str, Any]:
    """Return a record of the S3 notification in the file called ``name``."""
    given: dict[str, Any] = json.loads((EVENTS / "aws" / f"{name}.json").read_text())["Records"][at]
    return given


def s3(event: str = "ObjectCreated:Put", key: Any = "a.jpg", **item: Any) -> dict[str, Any]:
    return {"eventName": event, "s3": {"bucket": {"name": "b"}, "object": {"key": key, **item}}}


def bridge(kind: str = "Object Created", key: Any = "a.jpg", **item: Any) -> dict[str, Any]:
    return {"detail-type": kind, "detail": {"bucket": {"name": "b"}, "object": {"key": key, **item}}}


def one(found: list[Found]) -> Request:
    (request,) = found
    assert isinstance(request, Request), request
    return request


def why(found: list[Found]) -> str:
    (error,) = found
    assert type(error) is InvalidRequest
    return str(error)


# --- S3 ---


def test_a_notification_as_s3_sends_it() -> None:
    """Its key is form-encoded, and its ETag says which content was meant."""
    assert objects.s3_record(record("s3_put"), "m") == [
        Request(
            "EXAMPLE123456789",
            url="s3://photos/a b/cé.jpg",
            version="0123456789abcdef0123456789abcdef",
            pin="etag",
        )
    ]


def test_a_version_id_comes_before_the_etag() -> None:
    found = one(objects.s3_record(record("s3_put_versioned"), "m"))
    assert (found.version, found.pin) == ("096fKKXTRTtl3on89fVO.nfljtsv6qko", "version")


@pytest.mark.parametrize(
    ("item", "version", "pin"),
    [
        ({"versionId": "null", "eTag": "e1"}, "e1", "etag"),
        ({"versionId": "", "eTag": '"e1"'}, "e1", "etag"),
        ({"versionId": None, "eTag": ""}, "m", ""),
        ({"versionId": ["x"], "eTag": 5, "sequencer": "0A"}, "0A", ""),
        ({"versionId": ["x"], "eTag": 5, "sequencer": 1}, "m", ""),
        ({"eTag": "e1", "sequencer": "0A"}, "e1", "etag"),
        ({}, "m", ""),
    ],
)
def test_what_a_bucket_without_versions_says_of_an_object(item: dict[str, Any], version: str, pin: str) -> None:
    assert objects.s3_record(s3(**item), "m") == [Request("m", url="s3://b/a.jpg", version=version, pin=pin)]


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("a+b%2Fc%C3%A9.jpg", "s3://b/a b/cé.jpg"),
        ("a%2Bb", "s3://b/a+b"),
        ("100%25.png", "s3://b/100%.png"),
        ("%2541", "s3://b/%41"),
    ],
)
def test_a_notifications_key_is_decoded_once(key: str, url: str) -> None:
    assert one(objects.s3_record(s3(key=key), "m")).url == url


@pytest.mark.parametrize(
    ("event", "asks"),
    [
        ("ObjectCreated:Put", True),
        ("ObjectCreated:CompleteMultipartUpload", True),
        ("s3:ObjectCreated:Copy", True),
        ("ObjectRemoved:Delete", False),
        ("s3:ObjectRemoved:DeleteMarkerCreated", False),
        ("ObjectRestore:Completed", False),
        ("ReducedRedundancyLostObject", False),
        ("", False),
        (None, False),
    ],
)
def test_only_what_creates_an_object_asks_for_anything(event: Any, asks: bool) -> None:
    assert bool(objects.s3_record(s3(event), "m")) is asks


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"s3": None},
        {"s3": []},
        {"s3": {"bucket": {}, "object": {"key": "a"}}},
        {"s3": {"bucket": "b", "object": {"key": "a"}}},
        {"s3": {"bucket": {"name": "b"}, "object": {}}},
        {"s3": {"bucket": {"name": "b"}, "object": "a"}},
        s3(key=None),
        s3(key=5),
        s3(key=["a"]),
    ],
)
def test_a_record_without_bucket_or_key_is_not_valid(given: dict[str, Any]) -> None:
    assert why(objects.s3_record(given, "m")).startswith(
        "The S3 record names no bucket and object: s3.bucket.name"
    )


@pytest.mark.parametrize("told", [None, [], {}, {"x-amz-request-id": 5}])
def test_a_record_without_an_id_has_the_messages(told: Any) -> None:
    assert one(objects.s3_record({**s3(), "responseElements": told}, "m")).id == "m"


# --- EventBridge ---


@pytest.mark.parametrize(
    ("item", "version", "pin"),
    [
        ({"version-id": "v1", "etag": "e1"}, "v1", "version"),
        ({"etag": "e1"}, "e1", "etag"),
        ({"eTag": "e1", "sequencer": "0A"}, "e1", "etag"),
        ({"sequencer": "0A"}, "0A", ""),
        ({}, "m", ""),
    ],
)
def test_eventbridges_keys_are_not_encoded(item: dict[str, Any], version: str, pin: str) -> None:
    assert objects.eventbridge(bridge(key="a+b%2Fc.jpg", **item), "m") == [
        Request("m", url="s3://b/a+b%2Fc.jpg", version=version, pin=pin)
    ]


@pytest.mark.parametrize("kind", ["Object Deleted", "Object Restore Completed", None, ["Object Created"]])
def test_other_events_of_eventbridge_ask_for_nothing(kind: Any) -> None:
    assert objects.eventbridge(bridge(kind), "m") == []


@pytest.mark.parametrize(
    "detail",
    [
        None,
        "text",
        [],
        {},
        {"object": {"key": "a"}},
        {"bucket": {"name": "b"}, "object": []},
        {"bucket": {"name": "b"}, "object": {"key": None}},
        {"bucket": {"name": "b"}, "object": {"key": 5}},
        {"bucket": {"name": None}, "object": {"key": "a"}},
    ],
)
def test_an_event_without_bucket_or_key_is_not_valid(detail: Any) -> None:
    found = objects.eventbridge({"detail-type": "Object Created", "detail": detail}, "m")
    assert why(found).startswith("The event names no bucket and object: detail.bucket.name")


# --- Cloud Storage ---


@pytest.mark.parametrize(
    ("generation", "version", "pin"),
    [("158", "158", "version"), (158, "158", "version"), (None, "m", ""), ("", "m", ""), ([1], "m", "")],
)
def test_a_generation_says_which_object_was_meant(generation: Any, version: str, pin: str) -> None:
    given = {"bucket": "b", "name": "a b+c%41.jpg", "generation": generation}
    assert objects.cloud_storage(given, "m") == [Request("m", url="gs://b/a b+c%41.jpg", version=version, pin=pin)]


@pytest.mark.parametrize(
    "given",
    [None, [], "x", {}, {"bucket": "b"}, {"name": "n"}, {"bucket": "", "name": "n"}, {"bucket": "b", "name": 5}],
)
def test_an_object_without_bucket_or_name_is_not_valid(given: Any) -> None:
    assert why(objects.cloud_storage(given, "m")) == "The Cloud Storage event names no bucket and object."


def audited(
    resource: Any = "projects/_/buckets/b/objects/a/b c.jpg", method: str = "storage.objects.create"
) -> Any:
    return {"insertId": "i-1", "protoPayload": {"methodName": method, "resourceName": resource}}


def test_an_audit_logs_entry_names_the_object_and_is_its_version() -> None:
    assert objects.audit(audited(), "m") == [Request("m", url="gs://b/a/b c.jpg", version="i-1")]
    assert one(objects.audit({**audited(), "insertId": None}, "m")).version == "m"


@pytest.mark.parametrize("given", [None, [], {}, {"protoPayload": 5}, audited(method="storage.objects.get")])
def test_other_entries_of_the_audit_log_ask_for_nothing(given: Any) -> None:
    assert objects.audit(given, "m") == []


@pytest.mark.parametrize(
    "resource", [None, 5, "", "projects/_/buckets/b", "projects/_/buckets/b/objects", "a/b/c/d/e/f"]
)
def test_an_entry_that_names_no_object_is_not_valid(resource: Any) -> None:
    assert why(objects.audit(audited(resource), "m")).startswith("The audit log's resourceName is not projects/_/")


# --- Azure Blob ---

BLOB = "https://acct.blob.core.windows.net/images/a%20b/c%C3%A9.jpg"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "acct")
    monkeypatch.delenv("AZURE_STORAGE_ENDPOINT", raising=False)


@pytest.mark.usefixtures("account")
def test_a_blob_of_the_functions_own_account_is_read_with_its_credentials() -> None:
    assert objects.blob_created({"url": BLOB, "eTag": "0x8D"}, "m") == [
        Request("m", url="az://images/a b/cé.jpg", version="0x8D", pin="etag")
    ]
    assert objects.blob_created({"url": BLOB}, "m") == [Request("m", url="az://images/a b/cé.jpg", version="m")]


@pytest.mark.usefixtures("account")
def test_data_lake_storage_tells_the_blobs_own_address_beside_its_file_systems() -> None:
    given = {"url": "https://acct.dfs.core.windows.net/images/a.jpg", "blobUrl": BLOB}
    assert one(objects.blob_created(given, "m")).url == "az://images/a b/cé.jpg"


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "url",
    [
        "https://other.blob.core.windows.net/images/a.jpg",
        "https://acct.blob.core.windows.net.evil.example/images/a.jpg",
        "https://acct.blob.core.windows.net@evil.example/images/a.jpg",
        "http://acct.blob.core.windows.net/images/a.jpg",
        "https://evil.example/?https://acct.blob.core.windows.net/images/a.jpg",
    ],
)
def test_another_account_is_shown_no_credentials(url: str) -> None:
    assert objects.blob_created({"url": url, "eTag": "0x8D"}, "m") == [Request("m", url=url, version="0x8D")]


def test_without_an_account_a_blob_is_read_from_the_web(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_ENDPOINT", raising=False)
    assert objects.blob_place(BLOB) == BLOB
    assert objects.blob_place("https://.blob.core.windows.net/c/a") == "https://.blob.core.windows.net/c/a"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", ["", "acct"])
def test_an_accounts_endpoint_may_be_another(monkeypatch: pytest.MonkeyPatch, name: str, slash: str) -> None:
    """As that of Azurite, whose path begins with the account."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", name)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:10000/acct{slash}")
    assert objects.blob_place("http://127.0.0.1:10000/acct/images/a%20b.jpg?sig=1") == "az://images/a b.jpg"
    assert objects.blob_place(BLOB) == ("az://images/a b/cé.jpg" if name else BLOB)
    for other in ("http://127.0.0.1:10000/acct2/images/a.jpg", "http://127.0.0.1:10000/acct"):
        assert objects.blob_place(other) == other


@pytest.mark.parametrize("given", [None, [], "x", {}, {"url": ""}, {"url": 5}, {"url": None}])
def test_an_event_without_a_blobs_url_is_not_valid(given: Any) -> None:
    assert why(objects.blob_created(given, "m")) == "The BlobCreated event has no data.url."


@pytest.mark.parametrize("tag", [None, "", 5])
def test_a_blob_without_an_etag_has_the_events_id_for_its_version(tag: Any) -> None:
    assert objects.blob_created({"url": BLOB, "eTag": tag}, "m") == [Request("m", url=BLOB, version="m")]


# --- all ---


def test_a_folder_is_no_object_to_classify() -> None:
    """Consoles make one as an empty object whose name ends in a slash."""
    assert objects.s3_record(s3(key="photos%2F"), "m") == []
    assert objects.eventbridge(bridge(key="photos/"), "m") == []
    assert objects.cloud_storage({"bucket": "b", "name": "photos/"}, "m") == []
    assert objects.blob_created({"url": "https://acct.blob.core.windows.net/c/photos/"}, "m") == []


@given(st.text().map("{}.jpg".format), st.text(min_size=1))
def test_whatever_key_s3_encodes_is_the_key_that_is_read(key: str, bucket: str) -> None:
    from urllib.parse import quote_plus

    told = s3(key=quote_plus(key, errors="replace"))
    told["s3"]["bucket"]["name"] = bucket
    assert one(objects.s3_record(told, "m")).url == f"s3://{bucket}/{key}"
