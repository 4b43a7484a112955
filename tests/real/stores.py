"""The object stores' own stand-ins: moto's S3 server, Microsoft's Azurite, a Google Cloud Storage emulator."""

import base64
import hashlib
import hmac
import http.client
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from mlserverless.local.process import free_port

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
AZURITE = "azurite@3.37.0"
# The account that every Azurite has, and its published key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
START_S = 60.0


class Store:
    """A running store: ``environment`` is what a function needs to read from it, ``place`` its bucket."""

    def __init__(self, command: list[str], port: int, environment: Mapping[str, str], place: str) -> None:
        self.environment, self.place, self.port = dict(environment), place, port
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_S
        while True:
            connection = http.client.HTTPConnection(HOST, port, timeout=5)
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    self.close()
                    raise
                time.sleep(0.1)
            else:
                return
            finally:
                connection.close()

    def close(self) -> None:
        """End the store's process."""
        self._process.terminate()
        self._process.wait()


def s3() -> Store:
    """Start moto with the bucket s3://images."""
    port = free_port(HOST)
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
    }
    store = Store(
        [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)], port, environment, "s3://images"
    )
    _send(port, "PUT", "/images")
    return store


def azure() -> Store:
    """Start Azurite, installed by npm the first time, with the container az://images."""
    folder = ROOT / ".cache" / "azurite"
    command = folder / "node_modules" / ".bin" / "azurite"
    if not command.exists():
        words = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--prefix",
            str(folder),
            AZURITE,
        ]
        subprocess.run(words, check=True)
    port = free_port(HOST)
    environment = {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": f"http://{HOST}:{port}/{ACCOUNT}",
    }
    words = [str(command), "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    words += ["--blobHost", HOST, "--blobPort", str(port), "--queuePort", "0", "--tablePort", "0"]
    store = Store(words, port, environment, "az://images")
    _make_container(port, "images")
    return store


def _make_container(port: int, name: str) -> None:
    # Shared Key authorisation (Azure Storage REST reference, "Authorize with Shared Key").
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    canonical = "".join(f"{key}:{value}\n" for key, value in sorted(headers.items()))
    text = f"PUT{11 * chr(10)}\n{canonical}/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    signed = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")).decode()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signed}"
    status, _, body = _send(port, "PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
    assert status == 201, body


def npm_missing() -> str | None:
    """Return why Azurite cannot be had here, or None."""
    return None if shutil.which("npm") else "npm is not here, with which Azurite is installed"


def gcs(folder: Path) -> Store:
    """Start the emulator with the bucket gs://images behind a proxy: it sends no ETag, which obstore wants."""
    port = free_port(HOST)
    words = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", HOST, "--port", str(port)]
    words += ["--default-bucket", "images", "--in-memory"]
    proxy = _etag_proxy(port)
    account = {"gcs_base_url": f"http://{HOST}:{proxy.server_port}", "disable_oauth": True}
    account |= {"client_email": "", "private_key": "", "private_key_id": ""}
    file = folder / "account.json"
    file.write_text(json.dumps(account))
    return Store(words, port, {"GOOGLE_SERVICE_ACCOUNT": str(file)}, "gs://images")


def _send(
    port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def _etag_proxy(port: int) -> ThreadingHTTPServer:
    class Proxy(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, data = _send(port, self.command, self.path, body)
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() in ("content-type", "last-modified", "x-goog-generation"):
                    self.send_header(name, value)
            self.send_header("ETag", f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            if "last-modified" not in {name.lower() for name, _ in headers}:
                self.send_header("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Proxy)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
