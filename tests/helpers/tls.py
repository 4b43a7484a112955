"""A certificate for localhost, made on the spot, and a server context that shows it."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from mlserverless.net import connection


def certificate(folder: Path) -> Path:
    """Return a file with a self-signed certificate for ``localhost`` and its key; skip without openssl."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("the openssl command, which makes the test's certificate, is not here")
    path, key = folder / "both.pem", folder / "key.pem"
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    command = [openssl, *asked.split(), "-keyout", str(key), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


def server(certificate: Path) -> ssl.SSLContext:
    """Return the context of a server that shows the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trust(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    """Make the guarded client trust the certificate."""
    monkeypatch.setattr(connection, "_contexts", [ssl.create_default_context(cafile=str(certificate))])
