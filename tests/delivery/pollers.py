"""Each cloud as the kills need it: a real runtime, a real store and queue, and the stand-in that polls it.

``real.queues`` says what stands in for what. Only processes that this process started are ended.
"""

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from mlserverless.local import aws, azure, deploy, gcp
from real import queues, stores

APPS = Path(__file__).parents[1] / "helpers" / "apps"
FIND_S = 5.0
AGAIN_S = 2  # how long a message that was not acknowledged is hidden


class Cloud:
    """A function on its platform. ``name`` is the cloud's, ``at_once`` how many invocations run at a time."""

    name: str
    at_once: int
    store: stores.Store
    _words: str  # in the command line of the runtime's process

    def __init__(self, folder: Path) -> None:
        """Start the store and the queue; ``folder`` is for their files."""

    def publish(self, name: str, image: bytes) -> str:
        """Upload an object, have it told of, and return its source as the record has it."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the runtime, where it does not run."""

    def deliver(self, most: int) -> queues.Delivery | None:
        """Deliver what is due, up to ``most`` messages of the kind that come in batches; None where nothing is."""
        raise NotImplementedError

    def source(self, text: str) -> str:
        """Return the source that a message is about."""
        raise NotImplementedError

    def left(self) -> int:
        """Return how many messages are not acknowledged."""
        raise NotImplementedError

    def kill(self) -> bool:
        """End the runtime's process with SIGKILL; return whether there was one."""
        found = _child(self._words)
        if found:
            os.kill(found, signal.SIGKILL)
        return bool(found)

    def stopped(self) -> None:
        """Clear away what a killed runtime left."""

    def close(self) -> None:
        """End the runtime and the store."""
        raise NotImplementedError


def _child(words: str) -> int:
    """Return the process that this one started with ``words`` in its command line; 0 where there is none yet."""
    end = time.monotonic() + FIND_S
    while time.monotonic() < end:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                # "PID (NAME) STATE PPID …", where NAME may hold anything
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) != os.getpid() or state == "Z":
                    continue
                if words in (folder / "cmdline").read_text(errors="replace"):
                    return int(folder.name)
            except OSError:  # it has ended meanwhile
                continue
        time.sleep(0.001)
    return 0


class Lambda(Cloud):
    """S3 to SQS to Lambda to S3; a function that was killed is replaced within its server, as Lambda does."""

    name, at_once, _words = "Lambda", 1, "awslambdaric"

    def __init__(self, folder: Path) -> None:
        self.store: stores.S3 = stores.s3()
        try:
            self.store.make("results", versioned=True)
            self._mapping = queues.EventSourceMapping(self.store, "photos", VisibilityTimeout=str(AGAIN_S))
            told = [{"QueueArn": self._mapping.arn, "Events": ["s3:ObjectCreated:*"]}]
            self.store.client("s3").put_bucket_notification_configuration(
                Bucket="images", NotificationConfiguration={"QueueConfigurations": told}
            )
            for message in self._mapping.receive(1):  # S3's test event, which is no event of ours
                self.store.client("sqs").delete_message(
                    QueueUrl=self._mapping.url, ReceiptHandle=message["ReceiptHandle"]
                )
            self._function = aws.start(
                handler="app.handler",
                app_dir=deploy.folder("aws"),
                environment={**self.store.environment, "MLSERVERLESS_SINK": "s3://results/out"},
            )
        except BaseException:
            self.store.close()
            raise

    def publish(self, name: str, image: bytes) -> str:
        self.store.put("images", name, image)
        return f"s3://images/{name}"

    def deliver(self, most: int) -> queues.Delivery | None:
        return self._mapping.poll(self._function.invoke, most)

    def source(self, text: str) -> str:
        (record,) = json.loads(text)["Records"]
        return f"s3://images/{unquote_plus(record['s3']['object']['key'])}"

    def left(self) -> int:
        return self._mapping.left()

    def close(self) -> None:
        self._function.close()
        self.store.close()


class Azure(Cloud):
    """A Storage queue to the Functions worker to Blob Storage."""

    name, at_once, _words = "Azure", 4, "mlserverless.local.azure.worker"

    def __init__(self, folder: Path) -> None:
        self.store: stores.Azure = stores.azure()
        self._app: azure.AzureServer | None = None
        try:
            self.store.make("results")
            self._host = queues.QueueHost(self.store, "photos", lease=AGAIN_S)
        except BaseException:
            self.store.close()
            raise

    def publish(self, name: str, image: bytes) -> str:
        self.store.put("images", name, image)
        source = f"az://images/{name}"
        self._host.send(json.dumps({"url": source}))
        return source

    def start(self) -> None:
        if self._app is None:
            settings = {**self.store.environment, "MLSERVERLESS_SINK": "az://results/out"}
            self._app = azure.start(app_dir=APPS / "azure", environment=settings)

    def deliver(self, most: int) -> queues.Delivery | None:
        app = self._app
        assert app is not None

        def invoke(name: str, text: Any, metadata: Mapping[str, Any]) -> Any:
            return app.invoke(name, text, metadata)

        return self._host.poll(invoke)

    def source(self, text: str) -> str:
        return str(json.loads(text)["url"])

    def left(self) -> int:
        return self._host.left()

    def stopped(self) -> None:
        if self._app is not None:
            self._app.close()
            self._app = None

    def close(self) -> None:
        self.stopped()
        self.store.close()


class Google(Cloud):
    """Cloud Storage's notifications, pushed, to functions-framework to Cloud Storage."""

    name, at_once, _words = "Google", 4, "functions_framework"

    def __init__(self, folder: Path) -> None:
        self.store: stores.CloudStorage = stores.gcs(folder)
        self._subscription = queues.PushSubscription(backoff=0.5)
        self._server: Any = None
        try:
            self.store.make("results")
        except BaseException:
            self.store.close()
            raise

    def publish(self, name: str, image: bytes) -> str:
        self._subscription.notify(self.store.upload("images", name, image))
        return f"gs://images/{name}"

    def start(self) -> None:
        if self._server is None:
            settings = {**self.store.environment, "MLSERVERLESS_SINK": "gs://results/out"}
            self._server = gcp.start(target="event", environment=settings)

    def deliver(self, most: int) -> queues.Delivery | None:
        return self._subscription.push(self._server.url)

    def source(self, text: str) -> str:
        attributes = json.loads(text)
        return f"gs://{attributes['bucketId']}/{attributes['objectId']}"

    def left(self) -> int:
        return self._subscription.left()

    def kill(self) -> bool:
        found = _child(self._words)
        if found:
            os.killpg(found, signal.SIGKILL)  # the server and its workers, a group of their own
        return bool(found)

    def stopped(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def close(self) -> None:
        self.stopped()
        self.store.close()
