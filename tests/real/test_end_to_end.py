"""From an object that is uploaded to its result, through real queues, runtimes and stores, on this machine.

Real are the providers' own Python runtimes, and what is known of the stores and queues beside the cloud itself:
moto, Azurite, a Cloud Storage emulator. What delivers messages from a queue to a runtime is a part of each cloud
that cannot be had here; :mod:`real.queues` says which and stands in.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.images import TOP
from helpers.origin import Origin, response, serving
from mlserverless.local import aws, azure, deploy, gcp

from . import queues, stores
from .origin import PHOTOS

pytestmark = pytest.mark.real
APPS = Path(__file__).parents[1] / "helpers" / "apps"
PREFIX = "new uploads/é+1 "  # a space, a plus and an accent, which every cloud's events write in their own way
BAD = b"this is no image"
SECONDS = 40.0
Need = Callable[[str | None], None]


def settle(step: Callable[[], queues.Delivery | None], left: Callable[[], int]) -> list[queues.Delivery]:
    """Deliver until nothing is left, and return what was delivered."""
    done: list[queues.Delivery] = []
    end = time.monotonic() + SECONDS
    while left():
        assert time.monotonic() < end, f"{left()} messages are left; {done[-3:]}"
        delivery = step()
        if delivery is None:
            time.sleep(0.1)
        else:
            done.append(delivery)
    return done


def told(store: stores.Store) -> dict[str, dict[str, Any]]:
    """Return the records by their sources: exactly one each, each written once."""
    versions = store.versions("results")
    assert all(name.startswith("out/") and len(marks) == 1 for name, marks in versions.items()), versions
    records = store.records("results").values()
    assert len({record["source"] for record in records}) == len(records), "a source has several results"
    return {record["source"]: record for record in records}


def label(record: dict[str, Any]) -> str:
    return str(record["predictions"][0]["label"])


def failing(times: int, body: bytes) -> Callable[[Origin, socket.socket], None]:
    """Answer 503 that many ``times``, then the photo."""
    left = [times]

    def reply(origin: Origin, connection: socket.socket) -> None:
        left[0] -= 1
        connection.sendall(response(status="503 Service Unavailable") if left[0] >= 0 else response(body))

    return reply


# --- AWS ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moto() -> Iterator[stores.S3]:
    started = stores.s3()
    started.make("results", versioned=True)
    started.make("versioned", versioned=True)
    yield started
    started.close()


@pytest.fixture
def function(moto: stores.S3, need: Need) -> Iterator[aws.LambdaServer]:
    """Lambda's runtime with results in s3://results/out, which is empty."""
    need(aws.available())
    settings = {"MLSERVERLESS_SINK": "s3://results/out", "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}
    for key, versions in moto.versions("results").items():
        for version in versions:
            moto.client("s3").delete_object(Bucket="results", Key=key, VersionId=version)
    with aws.start(
        handler="app.handler", app_dir=deploy.folder("aws"), environment={**moto.environment, **settings}
    ) as started:
        yield started


def notify(moto: stores.S3, bucket: str, **where: Any) -> None:
    """Set the bucket's notifications, which sends S3's test event."""
    for name, value in where.items():
        if name != "EventBridgeConfiguration":
            value[0]["Events"] = ["s3:ObjectCreated:*"]
    moto.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=where)


def test_photos_put_into_s3_are_classified_by_way_of_sqs(moto: stores.S3, function: aws.LambdaServer) -> None:
    mapping = queues.EventSourceMapping(moto, "photos", VisibilityTimeout="1")
    notify(moto, "images", QueueConfigurations=[{"QueueArn": mapping.arn}])
    first = mapping.poll(function.invoke)
    assert first is not None, "S3's test event is there"
    assert first.answer == {"batchItemFailures": []}
    assert moto.versions("results") == {}
    for photo in TOP:
        moto.put("images", PREFIX + photo, (PHOTOS / photo).read_bytes())
    moto.put("images", "bad.jpg", BAD)
    taken = mapping.receive(10)  # by a function that dies over them: its messages come back
    done = settle(lambda: mapping.poll(function.invoke), mapping.left)
    assert len(taken) == sum(len(delivery.messages) for delivery in done) == 7
    assert not any(delivery.failed for delivery in done)
    found = told(moto)
    assert {source: label(one) for source, one in found.items() if "predictions" in one} == {
        f"s3://images/{PREFIX}{photo}": expected for photo, expected in TOP.items()
    }
    assert found["s3://images/bad.jpg"]["problem"]["code"] == "unsupported-media-type"
    before = moto.versions("results")
    for message in taken:  # SQS delivers at least once
        mapping.send(message["Body"])
    settle(lambda: mapping.poll(function.invoke), mapping.left)
    assert moto.versions("results") == before


def test_of_an_sqs_batch_only_what_may_pass_is_delivered_again(
    moto: stores.S3, function: aws.LambdaServer
) -> None:
    photo = (PHOTOS / "coffee.png").read_bytes()
    mapping = queues.EventSourceMapping(moto, "batch", VisibilityTimeout="1")
    with serving({"/once": failing(1, photo), "/good": response(photo), "/bad": response(BAD)}) as origin:
        names = {path: mapping.send(json.dumps({"url": origin.url(path)})) for path in origin.replies}
        assert mapping.send("neither a URL nor JSON")
        first = mapping.poll(function.invoke)
        assert first is not None
        assert len(first.messages) == 4
        assert first.failed == [names["/once"]]
        assert first.answer == {"batchItemFailures": [{"itemIdentifier": names["/once"]}]}
        before = moto.versions("results")
        assert len(before) == 3
        again = settle(lambda: mapping.poll(function.invoke), mapping.left)
        assert [(one.messages, one.failed) for one in again] == [([names["/once"]], [])]
        found = told(moto)
        assert {label(found[origin.url(path)]) for path in ("/once", "/good")} == {"espresso"}
        assert found[origin.url("/bad")]["problem"]["code"] == "unsupported-media-type"
        assert {record["request_id"] for record in found.values()} >= set(names.values())
        assert moto.versions("results").items() > before.items()


def test_what_never_passes_ends_in_sqs_dead_letter_queue(moto: stores.S3, function: aws.LambdaServer) -> None:
    dead = queues.EventSourceMapping(moto, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": "2"})
    mapping = queues.EventSourceMapping(moto, "redriven", VisibilityTimeout="1", RedrivePolicy=redrive)
    with serving({"/never": response(status="503 Service Unavailable")}) as origin:
        text = json.dumps({"url": origin.url("/never")})
        name = mapping.send(text)
        done = settle(lambda: mapping.poll(function.invoke), mapping.left)
    assert [(one.messages, one.failed) for one in done] == [([name], [name])] * 2
    assert [message["Body"] for message in dead.receive(10)] == [text]
    assert moto.versions("results") == {}


def test_the_version_that_was_put_is_read_and_no_other(moto: stores.S3, function: aws.LambdaServer) -> None:
    mapping = queues.EventSourceMapping(moto, "versions", VisibilityTimeout="1")
    rule = moto.client("events")
    rule.put_rule(Name="created", EventPattern=json.dumps({"source": ["aws.s3"]}))
    rule.put_targets(Rule="created", Targets=[{"Id": "queue", "Arn": mapping.arn}])
    notify(moto, "versioned", EventBridgeConfiguration={})
    coffee, cat = ((PHOTOS / photo).read_bytes() for photo in ("coffee.png", "chelsea.png"))
    versions = [moto.put("versioned", PREFIX, photo) for photo in (coffee, cat)]
    assert mapping.left() == 4, (
        "S3 to EventBridge to SQS; moto tells of an upload's tags, too, which ask for nothing"
    )
    settle(lambda: mapping.poll(function.invoke), mapping.left)
    records = moto.records("results").values()
    assert {(one["source"], one["version"], label(one)) for one in records} == {
        (f"s3://versioned/{PREFIX}", versions[0], "espresso"),
        (f"s3://versioned/{PREFIX}", versions[1], "tiger cat"),
    }
    assert len(records) == 2


def test_what_was_overwritten_since_is_told_as_gone(moto: stores.S3, function: aws.LambdaServer) -> None:
    mapping = queues.EventSourceMapping(moto, "overwritten", VisibilityTimeout="1")
    notify(moto, "images", QueueConfigurations=[{"QueueArn": mapping.arn}])
    for photo in ("coffee.png", "chelsea.png"):
        moto.put("images", "same.png", (PHOTOS / photo).read_bytes())
    settle(lambda: mapping.poll(function.invoke), mapping.left)
    first, second = sorted(moto.records("results").values(), key=lambda record: "predictions" in record)
    assert first["problem"]["code"] == "source-not-found"
    assert "overwritten since" in first["problem"]["detail"]
    assert label(second) == "tiger cat"
    assert first["version"] != second["version"]


def test_an_upload_is_told_by_s3_through_sns_and_sqs(moto: stores.S3, function: aws.LambdaServer) -> None:
    mapping = queues.EventSourceMapping(moto, "enveloped", VisibilityTimeout="1")
    sns = moto.client("sns")
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=mapping.arn)
    notify(moto, "images", TopicConfigurations=[{"TopicArn": topic}])
    moto.put("images", f"{PREFIX}coffee.png", (PHOTOS / "coffee.png").read_bytes())
    done = settle(lambda: mapping.poll(function.invoke), mapping.left)
    assert sum(len(one.messages) for one in done) == 2, "the test event, and the upload"
    ((source, record),) = told(moto).items()
    assert (source, label(record)) == (f"s3://images/{PREFIX}coffee.png", "espresso")


# --- Azure -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def azurite() -> Iterator[stores.Azure]:
    from tests.conftest import need

    need(azure.available())
    need(stores.npm_missing())
    started = stores.azure()
    started.make("results")
    yield started
    started.close()


@pytest.fixture(scope="module")
def app(azurite: stores.Azure) -> Iterator[azure.AzureServer]:
    """Azure's runtime with results in az://results/out."""
    settings = {"MLSERVERLESS_SINK": "az://results/out", "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}
    with azure.start(app_dir=APPS / "azure", environment={**azurite.environment, **settings}) as started:
        yield started


def ask(place: str) -> str:
    return json.dumps({"url": place})


def test_blobs_named_in_a_storage_queue_are_classified(azurite: stores.Azure, app: azure.AzureServer) -> None:
    host = queues.QueueHost(azurite, "photos", lease=1)
    for photo in TOP:
        azurite.put("images", PREFIX + photo, (PHOTOS / photo).read_bytes())
        host.send(ask(f"az://images/{PREFIX}{photo}"))
    azurite.put("images", "bad.jpg", BAD)
    host.send(ask("az://images/bad.jpg"))

    def dies(name: str, text: Any, metadata: Any) -> Any:
        """Answer as ever, and lose the answer."""
        assert app.invoke(name, text, metadata).status == 202
        raise ConnectionResetError

    lost = [host.poll(dies) for _ in range(7)]
    first = azurite.versions("results")
    assert len(first) == 7
    done = settle(lambda: host.poll(app.invoke), host.left)
    assert sorted(one.messages for one in done) == sorted(one.messages for one in lost if one)
    assert not any(one.failed for one in done)
    assert azurite.versions("results") == first, "the second delivery changed nothing"
    found = told(azurite)
    assert {source: label(one) for source, one in found.items() if "predictions" in one} == {
        f"az://images/{PREFIX}{photo}": expected for photo, expected in TOP.items()
    }
    assert found["az://images/bad.jpg"]["problem"]["code"] == "unsupported-media-type"
    assert host.left("photos-poison") == 0


def test_what_never_passes_ends_in_the_poison_queue(azurite: stores.Azure, app: azure.AzureServer) -> None:
    host = queues.QueueHost(azurite, "images")
    before = azurite.versions("results")
    with serving({"/never": response(status="503 Service Unavailable"), "/bad": response(BAD)}) as origin:
        texts = [ask(origin.url("/never")), ask(origin.url("/bad"))]
        for text in texts:
            host.send(text)
        done = settle(lambda: host.poll(app.invoke), host.left)
        assert origin.paths.count("/never") == 5
        assert origin.paths.count("/bad") == 1
    assert sum(bool(one.failed) for one in done) == 5
    assert host.texts("images-poison") == texts[:1]
    found = told(azurite)
    assert found[origin.url("/bad")]["problem"]["code"] == "unsupported-media-type"
    assert origin.url("/never") not in found
    assert len(azurite.versions("results")) == len(before) + 1


def test_a_blob_that_azure_brings_has_one_result(azurite: stores.Azure, app: azure.AzureServer) -> None:
    photo = (PHOTOS / "coffee.png").read_bytes()
    tag = azurite.put("images", "brought.png", photo)
    uri = f"{azurite.environment['AZURE_STORAGE_ENDPOINT']}/images/brought.png"
    assert app.invoke_blob("image_created", photo, uri, {"ETag": tag}).status == 202
    before = azurite.versions("results")
    assert app.invoke_blob("image_created", photo, uri, {"ETag": tag}).status == 202
    assert azurite.versions("results") == before
    assert label(told(azurite)["az://images/brought.png"]) == "espresso"


def test_a_blob_that_was_overwritten_since_is_told_as_gone(azurite: stores.Azure, app: azure.AzureServer) -> None:
    host = queues.QueueHost(azurite, "grid")
    event = json.loads((Path(__file__).parents[1] / "events/azure/event_grid_blob_created.json").read_bytes())
    uri = f"{azurite.environment['AZURE_STORAGE_ENDPOINT']}/images/same.png"
    tags = [
        azurite.put("images", "same.png", (PHOTOS / photo).read_bytes()) for photo in ("coffee.png", "chelsea.png")
    ]
    for tag in tags:
        host.send(json.dumps({**event, "data": {**event["data"], "url": uri, "eTag": tag}}))
    settle(lambda: host.poll(app.invoke), host.left)
    records = [one for one in azurite.records("results").values() if one["source"] == "az://images/same.png"]
    by_version = {one["version"]: one for one in records}
    assert by_version[tags[0].strip('"')]["problem"]["code"] == "source-not-found"
    assert label(by_version[tags[1].strip('"')]) == "tiger cat"
    assert len(records) == 2


def test_results_are_put_on_the_queue_that_is_bound(azurite: stores.Azure) -> None:
    host = queues.QueueHost(azurite, "bound", results="classified")
    azurite.put("images", "coffee.png", (PHOTOS / "coffee.png").read_bytes())
    host.send(ask("az://images/coffee.png"))
    host.send("no request at all")
    settings = {"MLSERVERLESS_SINK": "queue:", "MLSERVERLESS_RESULTS_QUEUE": "classified"}
    with azure.start(app_dir=APPS / "azure", environment={**azurite.environment, **settings}) as bound:
        settle(lambda: host.poll(bound.invoke), host.left)
    records = [json.loads(text) for text in host.texts("classified")]
    assert [label(one) for one in records if "predictions" in one] == ["espresso"]
    assert [one["problem"]["code"] for one in records if "problem" in one] == ["invalid-request"]
    assert len(records) == 2
    assert host.left("bound-poison") == 0


# --- Google ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stores.CloudStorage]:
    started = stores.gcs(tmp_path_factory.mktemp("gcs"))
    started.make("results")
    yield started
    started.close()


@pytest.fixture(scope="module")
def pushed_to(storage: stores.CloudStorage) -> Iterator[str]:
    """The address of functions-framework with results in gs://results/out."""
    from tests.conftest import need

    need(gcp.available())
    settings = {"MLSERVERLESS_SINK": "gs://results/out", "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}
    with gcp.start(target="event", environment={**storage.environment, **settings}) as started:
        yield started.url


def test_objects_told_of_by_pubsub_are_classified(storage: stores.CloudStorage, pushed_to: str) -> None:
    subscription = queues.PushSubscription()
    told_of = [storage.upload("images", PREFIX + photo, (PHOTOS / photo).read_bytes()) for photo in TOP] + [
        storage.upload("images", "bad.jpg", BAD)
    ]
    for resource in told_of:
        subscription.notify(resource)
    subscription.notify(told_of[0], "OBJECT_DELETE")
    done = settle(lambda: subscription.push(pushed_to), subscription.left)
    assert [one.answer for one in done] == [204] * 8
    found = told(storage)
    assert {source: label(one) for source, one in found.items() if "predictions" in one} == {
        f"gs://images/{PREFIX}{photo}": expected for photo, expected in TOP.items()
    }
    assert {one["version"] for one in found.values()} == {resource["generation"] for resource in told_of}
    assert found["gs://images/bad.jpg"]["problem"]["code"] == "unsupported-media-type"
    before = storage.versions("results")
    for resource in told_of:
        subscription.notify(resource)
    settle(lambda: subscription.push(pushed_to), subscription.left)
    assert storage.versions("results") == before
    assert set(storage.proxy.written.values()) == {1}


def test_what_may_pass_is_pushed_again(storage: stores.CloudStorage, pushed_to: str) -> None:
    photo = (PHOTOS / "coffee.png").read_bytes()
    with serving({"/once": failing(1, photo), "/never": response(status="503 Service Unavailable")}) as origin:
        subscription = queues.PushSubscription(most=5)
        subscription.publish({"url": origin.url("/once")}, {})
        never = subscription.publish({"url": origin.url("/never")}, {})
        done = settle(lambda: subscription.push(pushed_to), subscription.left)
    assert sum(bool(one.failed) for one in done) == 1 + 5
    assert [message["messageId"] for message in subscription.dead] == [never]
    found = told(storage)
    assert label(found[origin.url("/once")]) == "espresso"
    assert origin.url("/never") not in found


def test_the_generation_that_was_finalized_is_read(storage: stores.CloudStorage, pushed_to: str) -> None:
    subscription = queues.PushSubscription()
    first, second = (
        storage.upload("images", "same.png", (PHOTOS / photo).read_bytes())
        for photo in ("coffee.png", "chelsea.png")
    )
    for resource in (first, second):
        subscription.notify(resource)
    settle(lambda: subscription.push(pushed_to), subscription.left)
    records = [one for one in storage.records("results").values() if one["source"] == "gs://images/same.png"]
    by_version = {one["version"]: one for one in records}
    assert by_version[first["generation"]]["problem"]["code"] == "source-not-found"
    assert label(by_version[second["generation"]]) == "tiger cat"
    assert len(records) == 2
