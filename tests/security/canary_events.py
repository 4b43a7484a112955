"""Secrets in events, in what a provider is given to log, in the stores' credentials and in the settings."""

import json
import logging
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote_plus

from cloudevents.http import CloudEvent, to_structured

from helpers.harness.aws import Context
from mlserverless import stores
from mlserverless.adapters.aws import make_handler
from mlserverless.adapters.azure import Blob, BlobCreated
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.events.objects import FINALIZED
from mlserverless.events.web import HttpEvents
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.sinks.log import LogSink
from mlserverless.web.http import HttpRequest
from security.canary_origin import IMAGE

Shown = tuple[tuple[str, str], ...]  # what a caller or a provider is given: place and text
KEYS = ("ok.png", "404.png", "403.png", "500.png", "reset.png", "text.png", "large.png", "fault.png")
SIGNED = "?X-Amz-Signature={0}&sig={0}"
RESULTS = logging.getLogger("mlserverless.results")


def told(call: Callable[[], Any]) -> Shown:
    """Return what ``call`` returns or raises, in every form that a provider may log."""
    try:
        answer = call()
    except Exception as error:  # noqa: BLE001 - whatever it is, a provider logs it
        return (
            ("str", str(error)),
            ("repr", repr(error)),
            ("traceback", "".join(traceback.format_exception(error))),
        )
    return (("body", repr(answer)),)


INVOKED: dict[str, Callable[[str], Any]] = {
    "an invoke": lambda url: {"url": url},
    "an invoke of a list": lambda url: {"urls": [url]},
    "an invoke with it as an option": lambda url: {"url": url, "top_k": url},
    "an invoke with it as a label": lambda url: {"url": "data:", "labels_allow": [url]},
    "an invoke with it as a key": lambda url: {"url": "x", url: 1},
    "an invoke of no list": lambda url: {"urls": url},
    "an event of no kind": lambda url: {"link": url},
}


def direct(service: Service, how: str, url: str) -> Shown:
    """Return what Lambda is given for an invoke with ``url``."""
    return told(lambda: make_handler(service)(INVOKED[how](url), Context()))


def notification(key: str) -> dict[str, Any]:
    """Return S3's event for the object ``key``."""
    place = {"bucket": {"name": "images"}, "object": {"key": quote_plus(key, safe="/")}}
    return {"Records": [{"eventSource": "aws:s3", "s3": place}]}


def events(service: Service, name: str, token: str) -> Iterator[tuple[str, Shown]]:
    """Yield what each event's function raises for the object called ``name``; its results go to the log."""
    key = name + SIGNED.replace("{0}", token)
    yield "an S3 notification", told(lambda: make_handler(service)(notification(key), Context()))
    queued = {"messageId": "1", "body": json.dumps({"url": f"http://127.0.0.1:1/{key}"}), "eventSource": "aws:sqs"}
    yield "an SQS message", told(lambda: make_handler(service)({"Records": [queued]}, Context()))
    source = "//storage.googleapis.com/projects/_/buckets/images"
    attributes = {"id": "1", "source": source, "type": FINALIZED[0]}
    headers, body = to_structured(CloudEvent(attributes, {"bucket": "images", "name": key}))
    request = HttpRequest("POST", "/", "", dict(headers), body)
    yield "a Cloud Storage event", told(lambda: HttpEvents(service)(request, Deadline()))
    data = {"ok.png": IMAGE, "fault.png": IMAGE, "large.png": bytes(200_000)}.get(name, b"This is no image.")
    uri = f"https://account.blob.core.windows.net/images/{key}"
    blob = Service(lambda: service.predictor, LogSink(RESULTS.info))
    yield "a blob", told(lambda: BlobCreated(blob)(Blob(data, uri, "1")))


def credentials(port: int, token: str, folder: Path) -> dict[str, str]:
    """Return the environment in which s3://, gs:// and az:// lead to loopback, ``token`` in every credential."""
    account = folder / "account.json"
    keys = {"gcs_base_url": f"http://127.0.0.1:{port}", "disable_oauth": True, "private_key_id": token}
    account.write_text(json.dumps({**keys, "client_email": "", "private_key": ""}))
    return {
        "AWS_ACCESS_KEY_ID": f"AKIA{token}",
        "AWS_SECRET_ACCESS_KEY": token,
        "AWS_SESSION_TOKEN": f"session{token}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{port}/account",
        "AZURE_STORAGE_SAS_TOKEN": f"sv=2024-11-04&sig={token}%3D",
        "GOOGLE_SERVICE_ACCOUNT": str(account),
    }


@contextmanager
def stores_at(environment: dict[str, str]) -> Iterator[None]:
    """Let this process have those credentials for the block."""
    with mock.patch.dict(os.environ, environment):
        stores._store.cache_clear()
        try:
            yield
        finally:
            stores._store.cache_clear()


def objects(service: Service) -> Iterator[tuple[str, Shown]]:
    """Yield what is told of objects whose store answers wrongly, its credentials being secrets."""
    for scheme in ("s3", "gs", "az"):
        for key in KEYS[:-1]:
            url = f"{scheme}://images/{key}"
            yield f"{url} by invoke", told(lambda url=url: make_handler(service)({"url": url}, Context()))  # type: ignore[misc]
            yield f"{url} by Predictor", told(lambda url=url: service.predictor.predict(url))  # type: ignore[misc]


def settings(token: str) -> Iterator[tuple[str, Shown]]:
    """Yield what is told of settings that are URLs with a secret, each in turn; the warm-up tells the log."""
    for name in Settings._fields:
        for value in (
            f"https://user:{token}@127.0.0.1:1/model.tflite?sig={token}",
            f"127.0.0.1/model.tflite?sig={token}",
            f"https://127.0.0.1:1/model?sig={token}#{token}",
            f"ftp://user:{token}@127.0.0.1:1/model.tflite",
        ):
            chosen = {f"MLSERVERLESS_{name.upper()}": value}
            if name == "model":
                chosen["MLSERVERLESS_MODEL_SHA256"] = "0" * 64
            with mock.patch.dict(os.environ, chosen):
                service = Service(Predictor)
                service.warm_up()
                yield f"{name} = {value}", told(lambda s=service: make_handler(s)({"url": "data:"}, Context()))  # type: ignore[misc]
