"""Each store's own words for "an object was written": S3, EventBridge, Cloud Storage, Azure Blob.

Only what creates an object asks for anything. Removals, test events and "folders", objects whose names end in a
slash, are read as no request at all.
"""

import os
from collections.abc import Mapping
from typing import Any

from mlserverless.errors import InvalidRequest
from mlserverless.events import Found
from mlserverless.types import Request

FINALIZED = ("google.cloud.storage.object.v1.finalized", "OBJECT_FINALIZE", "google.storage.object.finalize")
AUDITED = ("storage.objects.create",)
BLOB_CREATED = "Microsoft.Storage.BlobCreated"


def s3_record(record: Mapping[str, Any], name: str) -> list[Found]:
    """Return the request for a record of an S3 notification, whose keys are form-encoded (AWS, "Event message
    structure"). ``name`` is the request's id where the record has none."""
    if not str(record.get("eventName", "ObjectCreated")).removeprefix("s3:").startswith("ObjectCreated"):
        return []
    from urllib.parse import unquote_plus

    try:
        bucket, item = record["s3"]["bucket"]["name"], record["s3"]["object"]
        url = f"s3://{bucket}/{unquote_plus(item['key'])}"
        if url.endswith("/"):
            return []
        version, tag, order = item.get("versionId"), item.get("eTag"), item.get("sequencer")
    except (KeyError, TypeError, AttributeError):
        return [InvalidRequest("The S3 record names no bucket and object: s3.bucket.name, s3.object.key.")]
    told = record.get("responseElements")
    own = told.get("x-amz-request-id") if isinstance(told, dict) else None
    return [_pinned(own if isinstance(own, str) else name, url, version, tag, order)]


def eventbridge(event: Mapping[str, Any], name: str) -> list[Found]:
    """Return the request for S3's "Object Created" on EventBridge, whose keys are not encoded."""
    if event.get("detail-type") != "Object Created":
        return []
    try:
        detail = event["detail"]
        item = detail["object"]
        bucket, key = detail["bucket"]["name"], item["key"]
        if not isinstance(bucket, str) or not isinstance(key, str):
            raise TypeError(key)
        url = f"s3://{bucket}/{key}"
        if url.endswith("/"):
            return []
        tag = item.get("etag") or item.get("eTag")
        return [_pinned(name, url, item.get("version-id"), tag, item.get("sequencer"))]
    except (KeyError, TypeError, AttributeError):
        return [InvalidRequest("The event names no bucket and object: detail.bucket.name, detail.object.key.")]


def cloud_storage(item: Any, name: str) -> list[Found]:
    """Return the request for an object of Cloud Storage, in its JSON form (``bucket``, ``name``, …)."""
    names = (item.get("bucket"), item.get("name")) if isinstance(item, dict) else ("",)
    if not all(isinstance(one, str) and one for one in names):
        return [InvalidRequest("The Cloud Storage event names no bucket and object.")]
    if str(item["name"]).endswith("/"):
        return []
    return [_pinned(name, f"gs://{item['bucket']}/{item['name']}", item.get("generation"), None)]


def audit(data: Any, name: str) -> list[Found]:
    """Return the request for a Cloud Audit Logs entry of ``storage.objects.create``."""
    payload = data.get("protoPayload") if isinstance(data, dict) else None
    resource = payload.get("resourceName") if isinstance(payload, dict) else None
    if not isinstance(payload, dict) or payload.get("methodName") not in AUDITED:
        return []
    words = resource.split("/", 5) if isinstance(resource, str) else []
    if len(words) != 6 or words[2] != "buckets" or words[4] != "objects":
        return [InvalidRequest("The audit log's resourceName is not projects/_/buckets/BUCKET/objects/OBJECT.")]
    told = str(data.get("insertId") or name)
    return [Request(name, url=f"gs://{words[3]}/{words[5]}", version=told)]


def blob_created(data: Any, name: str) -> list[Found]:
    """Return the request for the data of Event Grid's ``Microsoft.Storage.BlobCreated``, in either schema."""
    # Data Lake Storage tells the blob's own address beside that of its file system.
    url = (data.get("blobUrl") or data.get("url")) if isinstance(data, dict) else None
    if isinstance(url, str) and url.endswith("/"):
        return []
    if not isinstance(url, str) or not url:
        return [InvalidRequest("The BlobCreated event has no data.url.")]
    tag = data.get("eTag")
    place = blob_place(url)
    if place.startswith("az://"):
        return [_pinned(name, place, None, tag)]
    return [Request(name, url=place, version=tag if isinstance(tag, str) and tag else name)]


def blob_place(url: str) -> str:
    """Return a blob's address as az://container/blob where it lies in the function's own storage account.

    That is the one that ``AZURE_STORAGE_ENDPOINT`` or ``AZURE_STORAGE_ACCOUNT_NAME`` names: no event makes this
    function show its credentials to another account.
    """
    from urllib.parse import unquote

    account, plain = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", ""), url.partition("?")[0]
    own = (os.environ.get("AZURE_STORAGE_ENDPOINT", ""), account and f"https://{account}.blob.core.windows.net")
    for endpoint in filter(None, own):
        if plain.startswith(f"{endpoint.rstrip('/')}/"):
            return f"az://{unquote(plain[len(endpoint.rstrip('/')) + 1 :])}"
    return url


def _pinned(name: str, url: str, version: Any, tag: Any, order: Any = None) -> Request:
    """Return a request for the object's version, where it has one, else for the content that ``tag`` names.

    With neither, ``order`` (S3's sequencer, which grows with every write) tells one event from another, or its
    name.
    """
    if version and isinstance(version, str | int) and version != "null":
        return Request(name, url=url, version=str(version), pin="version")
    if tag and isinstance(tag, str):
        return Request(name, url=url, version=tag.strip('"'), pin="etag")
    return Request(name, url=url, version=order if isinstance(order, str) and order else name)
