"""Stand-ins for what delivers messages to a function: the one part of each cloud that cannot be had here.

- Lambda's event source mapping is AWS's own, within their cloud.
- Azure's Functions host is a .NET program, which no package registry of Python's or Node's has.
- Pub/Sub's emulator is a jar in the Cloud SDK, likewise; the Cloud Storage emulator sends no notifications.

The queues are real ones (moto's SQS, Azurite's), with their own visibility timeouts and counts; the subscription
of Pub/Sub is ours altogether. Each stand-in does what its platform's documentation says and nothing to help: what
is not acknowledged it delivers again.
"""

import base64
import json
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

from mlserverless.web.http import HttpResponse

from .stores import S3, Azure

LOST = (OSError, HTTPException, RuntimeError)  # what a function that was killed answers with


class Delivery(NamedTuple):
    """What came of one invocation: the messages delivered, those that will be again, what was answered or went
    wrong.

    ``texts`` are the messages' bodies, Pub/Sub's their attributes in JSON.
    """

    messages: list[str]
    failed: list[str]
    answer: Any = None
    texts: list[str] = []  # noqa: RUF012 - a NamedTuple default is never written to


class EventSourceMapping:
    """Lambda's mapping of the SQS queue ``name`` to a function, with ReportBatchItemFailures set.

    A batch whose invocation fails is not deleted, nor is what ``batchItemFailures`` names; where the response is
    none of the documented form, or names a message that was not in the batch, the whole batch counts as failed
    (AWS, "Implementing partial batch responses"). What is not deleted comes back after the queue's visibility
    timeout, and goes to its dead-letter queue by its own redrive policy: both are SQS's (moto's) work.
    """

    def __init__(self, store: S3, name: str, **attributes: str) -> None:
        self._sqs = store.client("sqs")
        self.url = str(self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        told = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = str(told["Attributes"]["QueueArn"])

    def send(self, text: str) -> str:
        """Put a message into the queue; return its id."""
        return str(self._sqs.send_message(QueueUrl=self.url, MessageBody=text)["MessageId"])

    def left(self) -> int:
        """Return how many messages the queue holds, those under way included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)

    def receive(self, most: int) -> list[dict[str, Any]]:
        """Return up to ``most`` messages that are visible."""
        answer = self._sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=most, AttributeNames=["All"], MessageAttributeNames=["All"]
        )
        return list(answer.get("Messages", []))

    def poll(self, invoke: Callable[[Mapping[str, Any]], Any], most: int = 10) -> Delivery | None:
        """Deliver one batch with ``invoke``, as LambdaServer.invoke; return None where no message is visible."""
        messages = self.receive(most)
        if not messages:
            return None
        names = [message["MessageId"] for message in messages]
        try:
            done = invoke({"Records": [self._record(message) for message in messages]})
            answer = json.loads(done.payload)
            failed = names if done.function_error else _named(answer, names)
        except LOST as error:
            answer, failed = error, names
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return Delivery(names, failed, answer, [message["Body"] for message in messages])

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": message.get("MessageAttributes", {}),
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": "us-east-1",
        }


def _named(answer: Any, names: Sequence[str]) -> list[str]:
    if not answer:  # an empty or null answer is a complete success
        return []
    try:
        failed = [one["itemIdentifier"] for one in answer["batchItemFailures"] or []]
    except (KeyError, TypeError):
        return list(names)
    return failed if set(failed) <= set(names) else list(names)


class QueueHost:
    """What Azure's Functions host does for a queue trigger on ``queue`` of Azure Storage.

    A message whose function returned is deleted, and what the function wrote to its output binding is put on that
    queue; one whose function raised becomes visible again, or, at its ``most``-th time, is moved to QUEUE-poison
    (Microsoft Learn, "Azure Queue storage trigger": maxDequeueCount is 5). Text is base64 on the wire, the host's
    default ``messageEncoding``. Here a failed message waits for ``hidden`` seconds, the host's visibilityTimeout
    (by default 0); a message under way is hidden for ``lease`` seconds, which the host takes as ten minutes.
    """

    def __init__(
        self,
        store: Azure,
        queue: str,
        *,
        lease: int = 30,
        hidden: int = 0,
        most: int = 5,
        results: str = "results",
    ) -> None:
        self._store, self.queue, self._lease, self._hidden, self._most = store, queue, lease, hidden, most
        self._results = results
        for name in (queue, f"{queue}-poison", results):
            self._store.ask("PUT", name, queues=True)

    def send(self, text: str, queue: str = "") -> None:
        """Put a message into the queue."""
        encoded = base64.b64encode(text.encode()).decode()
        body = f"<QueueMessage><MessageText>{escape(encoded)}</MessageText></QueueMessage>".encode()
        headers = {"Content-Type": "application/xml"}
        self._store.ask("POST", f"{queue or self.queue}/messages", {}, body, headers, queues=True)

    def left(self, queue: str = "") -> int:
        """Return how many messages a queue holds, those under way included."""
        answer = self._store.ask("GET", queue or self.queue, {"comp": "metadata"}, queues=True)
        return int(answer.headers["x-ms-approximate-messages-count"])

    def texts(self, queue: str) -> list[str]:
        """Return the texts of up to 32 messages of a queue, without taking them."""
        query = {"numofmessages": "32", "peekonly": "true"}
        found = ET.fromstring(self._store.ask("GET", f"{queue}/messages", query, queues=True).body)
        return [base64.b64decode(one.text or "").decode() for one in found.iter("MessageText")]

    def poll(self, invoke: Callable[[str, Any, Mapping[str, Any]], HttpResponse]) -> Delivery | None:
        """Deliver one message with ``invoke``, as AzureServer.invoke; return None where none is visible."""
        query = {"numofmessages": "1", "visibilitytimeout": str(self._lease)}
        found = ET.fromstring(self._store.ask("GET", f"{self.queue}/messages", query, queues=True).body)
        message = found.find("QueueMessage")
        if message is None:
            return None
        told = {part.tag: part.text or "" for part in message}
        name, text = told["MessageId"], base64.b64decode(told["MessageText"]).decode()
        metadata = {"Id": name, "DequeueCount": told["DequeueCount"], "PopReceipt": told["PopReceipt"]}
        try:
            answer = invoke("message_queued", text, metadata)
        except LOST as error:
            return Delivery(
                [name], [name], str(error), [text]
            )  # the host died with its worker: the lease ends in time
        if answer.status == 202:
            outputs = json.loads(answer.body or b"{}").get("outputs", {})
            for line in outputs.get("results", ()):
                self.send(line, self._results)
            self._delete(told)
            return Delivery([name], [], answer, [text])
        if int(told["DequeueCount"]) >= self._most:
            self.send(text, f"{self.queue}-poison")
            self._delete(told)
        else:
            receipt = {"popreceipt": told["PopReceipt"], "visibilitytimeout": str(self._hidden)}
            self._store.ask("PUT", f"{self.queue}/messages/{name}", receipt, queues=True)
        return Delivery([name], [name], answer, [text])

    def _delete(self, told: Mapping[str, str]) -> None:
        receipt = {"popreceipt": told["PopReceipt"]}
        # 404 where the lease has ended meanwhile and the message is another's
        path = f"{self.queue}/messages/{quote(told['MessageId'])}"
        self._store.ask("DELETE", path, receipt, queues=True, expected=(204, 400, 404))


class _Pushed(NamedTuple):
    message: dict[str, Any]
    attempts: int
    due: float


class PushSubscription:
    """A push subscription of Pub/Sub, ours altogether: it posts a message until the answer is a success.

    The statuses 102, 200, 201, 202 and 204 acknowledge; any other, and no answer at all, makes the message due
    again after ``backoff`` seconds (Google Cloud, "Push subscriptions"). With ``most`` it has a dead-letter topic:
    it counts the attempts in ``deliveryAttempt``, and after that many the message is in ``dead``.
    """

    def __init__(self, *, backoff: float = 0.1, most: int = 0) -> None:
        self._backoff, self._most, self._published = backoff, most, 0
        self._waiting: list[_Pushed] = []
        self._lock = Lock()
        self.dead: list[dict[str, Any]] = []
        self._under_way = 0

    def publish(self, data: Any, attributes: Mapping[str, str]) -> str:
        """Publish a message; return its id."""
        with self._lock:
            self._published += 1
            name = str(7_000_000 + self._published)
            encoded = base64.b64encode(json.dumps(data).encode()).decode()
            message = {"messageId": name, "message_id": name, "data": encoded, "attributes": dict(attributes)}
            message |= {"publishTime": "2026-01-01T00:00:00Z", "publish_time": "2026-01-01T00:00:00Z"}
            self._waiting.append(_Pushed(message, 0, 0.0))
        return name

    def notify(self, resource: Mapping[str, Any], event: str = "OBJECT_FINALIZE") -> str:
        """Publish what Cloud Storage does when the object ``resource`` was written (JSON_API_V1)."""
        attributes = {
            "bucketId": str(resource["bucket"]),
            "objectId": str(resource["name"]),
            "objectGeneration": str(resource["generation"]),
            "eventType": event,
            "eventTime": str(resource["updated"]),
            "payloadFormat": "JSON_API_V1",
            "notificationConfig": f"projects/_/buckets/{resource['bucket']}/notificationConfigs/1",
        }
        return self.publish(resource, attributes)

    def left(self) -> int:
        """Return how many messages are not acknowledged, those under way included."""
        with self._lock:
            return len(self._waiting) + self._under_way

    def push(self, url: str) -> Delivery | None:
        """Post the message that is due first to ``url``; return None where none is due. May run in threads."""
        with self._lock:
            due = [one for one in self._waiting if one.due <= time.monotonic()]
            if not due:
                return None
            chosen = due[0]
            self._waiting.remove(chosen)
            self._under_way += 1
        name, attempts = chosen.message["messageId"], chosen.attempts + 1
        body: dict[str, Any] = {"message": chosen.message, "subscription": "projects/test/subscriptions/photos"}
        if self._most:
            body["deliveryAttempt"] = attempts
        answer: Any
        try:
            answer = _post(url, json.dumps(body).encode())
        except LOST as error:
            answer = error
        done = answer in (102, 200, 201, 202, 204)
        with self._lock:
            self._under_way -= 1
            if not done and self._most and attempts >= self._most:
                self.dead.append(chosen.message)
            elif not done:
                self._waiting.append(_Pushed(chosen.message, attempts, time.monotonic() + self._backoff))
        return Delivery([name], [] if done else [name], answer, [json.dumps(chosen.message["attributes"])])


def _post(url: str, body: bytes) -> int:
    at = urlsplit(url)
    connection = HTTPConnection(at.hostname or "", at.port, timeout=60)
    try:
        connection.request("POST", at.path or "/", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
