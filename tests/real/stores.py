"""The object stores' own stand-ins: moto's S3 server, Microsoft's Azurite, a Google Cloud Storage emulator.

Moto has SQS, SNS and EventBridge too, Azurite has the queues of Azure Storage.
"""

import base64
import hmac
import http.client
import json
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from mlserverless.local.process import free_port

from .cloud_storage import Proxy

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
AZURITE = "azurite@3.37.0"
# The account that every Azurite has, and its published key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
REGION = "us-east-1"
START_S = 60.0


class Answer(NamedTuple):
    """What a store answered to one request."""

    status: int
    headers: dict[str, str]
    body: bytes


def send(port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """Ask what listens on ``port`` here; the answer's header names are lowercase."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Store:
    """A running store: ``environment`` is what a function needs to read from it, ``place`` its bucket."""

    def __init__(self, command: list[str], ports: list[int], environment: Mapping[str, str], place: str) -> None:
        self.environment, self.place, self.port = dict(environment), place, ports[0]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_S
        for port in ports:
            while not _answers(port):
                if time.monotonic() > end or self._process.poll() is not None:
                    self.close()
                    raise RuntimeError(f"{command[0]} does not answer on its port")
                time.sleep(0.1)

    def close(self) -> None:
        """End the store's process."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        raise NotImplementedError

    def put(self, bucket: str, key: str, data: bytes) -> str:
        """Write an object and return the ETag or generation that it has now."""
        raise NotImplementedError

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes."""
        raise NotImplementedError

    def versions(self, bucket: str) -> dict[str, list[str]]:
        """Return what marks each state of every object: all its versions, or the ETag or generation it has now.

        An object that was written a second time has two, or another than before.
        """
        raise NotImplementedError

    def records(self, bucket: str) -> dict[str, dict[str, Any]]:
        """Return every record in ``bucket`` by its object's name."""
        return {name: json.loads(self.get(bucket, name)) for name in self.versions(bucket)}


def _answers(port: int) -> bool:
    try:
        send(port, "GET", "/")
    except (OSError, http.client.HTTPException):
        return False
    return True


class S3(Store):
    """Moto's server with the bucket s3://images."""

    def __init__(self) -> None:
        port = free_port(HOST)
        environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        }
        words = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
        self._clients: dict[str, Any] = {}
        super().__init__(words, [port], environment, "s3://images")
        self.make("images")

    def close(self) -> None:
        """End the clients, then the server."""
        for client in self._clients.values():
            client.close()
        super().close()

    def client(self, service: str) -> Any:
        """Return a boto3 client of moto's."""
        import boto3
        from botocore.config import Config

        if service not in self._clients:
            given: dict[str, Any] = {"region_name": REGION, "endpoint_url": self.environment["AWS_ENDPOINT_URL"]}
            given |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            limits = Config(connect_timeout=5, read_timeout=30, max_pool_connections=20)
            self._clients[service] = boto3.client(service, config=limits, **given)
        return self._clients[service]

    def make(self, bucket: str, *, versioned: bool = False) -> None:
        self.client("s3").create_bucket(Bucket=bucket)
        if versioned:
            self.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def put(self, bucket: str, key: str, data: bytes) -> str:
        answer = self.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
        return str(answer.get("VersionId") or answer["ETag"])

    def get(self, bucket: str, key: str) -> bytes:
        return bytes(self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())

    def versions(self, bucket: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for page in self.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in page.get("Versions", []):
                found.setdefault(one["Key"], []).append(one["VersionId"])
        return found


def s3() -> S3:
    """Start moto with the bucket s3://images."""
    return S3()


class Azure(Store):
    """Azurite's blobs and queues, with the container az://images; installed by npm the first time."""

    def __init__(self) -> None:
        folder = ROOT / ".cache" / "azurite"
        command = folder / "node_modules" / ".bin" / "azurite"
        if not command.exists():
            words = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", str(folder)]
            subprocess.run([*words, AZURITE], check=True)
        port, self.queue_port = free_port(HOST), free_port(HOST)
        environment = {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": f"http://{HOST}:{port}/{ACCOUNT}",
        }
        words = [str(command), "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
        words += ["--blobHost", HOST, "--blobPort", str(port), "--tableHost", HOST, "--tablePort", "0"]
        words += ["--queueHost", HOST, "--queuePort", str(self.queue_port)]
        super().__init__(words, [port, self.queue_port], environment, "az://images")
        self.make("images")

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        queues: bool = False,
        expected: tuple[int, ...] = (200, 201, 202, 204),
    ) -> Answer:
        """Send a request for ``path`` (from the account on, encoded) that the account's key signs."""
        port = self.queue_port if queues else self.port
        target = f"/{ACCOUNT}/{path}"
        sent = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02", **(headers or {})}
        sent["Authorization"] = _signed(method, target, query or {}, body, sent)
        answer = send(port, method, f"{target}?{urlencode(query)}" if query else target, body, sent)
        assert answer.status in expected, (method, path, answer)
        return answer

    def make(self, bucket: str) -> None:
        self.ask("PUT", bucket, {"restype": "container"})

    def put(self, bucket: str, key: str, data: bytes) -> str:
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
        return self.ask("PUT", f"{bucket}/{quote(key)}", {}, data, headers).headers["etag"]

    def get(self, bucket: str, key: str) -> bytes:
        return self.ask("GET", f"{bucket}/{quote(key)}").body

    def versions(self, bucket: str) -> dict[str, list[str]]:
        found = ET.fromstring(self.ask("GET", bucket, {"restype": "container", "comp": "list"}).body)
        assert not found.findtext("NextMarker"), "one page has 5,000"
        blobs = found.iter("Blob")
        return {blob.findtext("Name") or "": [blob.findtext("Properties/Etag") or ""] for blob in blobs}


def _signed(method: str, target: str, query: Mapping[str, str], body: bytes, headers: Mapping[str, str]) -> str:
    """Return the Authorization header (Azure Storage REST reference, "Authorize with Shared Key")."""
    length = str(len(body)) if body else ""
    lines = [method, "", "", length, "", headers.get("Content-Type", ""), *[""] * 6]
    lines += [f"{name}:{value}" for name, value in sorted(headers.items()) if name.startswith("x-ms-")]
    lines += [f"/{ACCOUNT}{target}", *(f"{name}:{value}" for name, value in sorted(query.items()))]
    digest = hmac.digest(base64.b64decode(KEY), "\n".join(lines).encode(), "sha256")
    return f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"


def azure() -> Azure:
    """Start Azurite with the container az://images."""
    return Azure()


def npm_missing() -> str | None:
    """Return why Azurite cannot be had here, or None."""
    return None if shutil.which("npm") else "npm is not here, with which Azurite is installed"


class CloudStorage(Store):
    """The emulator with the bucket gs://images, behind a proxy that does what it leaves out."""

    def __init__(self, folder: Path) -> None:
        port = free_port(HOST)
        words = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", HOST, "--port", str(port)]
        words += ["--default-bucket", "images", "--in-memory"]
        self.proxy = Proxy(HOST, port)
        account = {"gcs_base_url": self.proxy.url, "disable_oauth": True}
        account |= {"client_email": "", "private_key": "", "private_key_id": ""}
        file = folder / "account.json"
        file.write_text(json.dumps(account))
        try:
            super().__init__(words, [port], {"GOOGLE_SERVICE_ACCOUNT": str(file)}, "gs://images")
        except BaseException:
            self.proxy.close()
            raise

    def close(self) -> None:
        """End the proxy, then the emulator."""
        self.proxy.close()
        super().close()

    def make(self, bucket: str) -> None:
        body = json.dumps({"name": bucket}).encode()
        headers = {"Content-Type": "application/json"}
        assert send(self.port, "POST", "/storage/v1/b?project=test", body, headers).status == 200

    def put(self, bucket: str, key: str, data: bytes) -> str:
        return str(self.upload(bucket, key, data)["generation"])

    def upload(self, bucket: str, key: str, data: bytes) -> dict[str, Any]:
        """Write an object and return its resource, which Cloud Storage's notification carries."""
        path = f"/upload/storage/v1/b/{bucket}/o?{urlencode({'uploadType': 'media', 'name': key})}"
        answer = send(self.port, "POST", path, data, {"Content-Type": "application/octet-stream"})
        assert answer.status == 200, answer
        return dict(json.loads(answer.body))

    def get(self, bucket: str, key: str) -> bytes:
        answer = send(self.port, "GET", f"/{bucket}/{quote(key)}")
        assert answer.status == 200, answer
        return answer.body

    def versions(self, bucket: str) -> dict[str, list[str]]:
        found = json.loads(send(self.port, "GET", f"/storage/v1/b/{bucket}/o").body)
        writes = self.proxy.written  # an overwritten generation is gone; through the proxy, it has been counted
        return {
            one["name"]: [one["generation"]] * max(1, writes[f"/{bucket}/{one['name']}"]) for one in found["items"]
        }


def gcs(folder: Path) -> CloudStorage:
    """Start the emulator with the bucket gs://images; ``folder`` takes the file that names its address."""
    return CloudStorage(folder)
