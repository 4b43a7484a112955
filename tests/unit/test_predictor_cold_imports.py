"""What a first request imports before it is sent, in an interpreter that has imported nothing yet."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import PIL
import pytest

import mlserverless
from helpers.origin import Origin, Reply, response, serving


def after(event: threading.Event, answer: bytes) -> Reply:
    """Send ``answer`` after ``event``, or nothing."""

    def reply(_: Origin, connection: Any) -> None:
        if event.wait(10):
            connection.sendall(answer)

    return reply


FIRST = """
import sys
sys.path[:0] = sys.argv[1:3]
from mlserverless import predictor
sent, begin = set(), predictor._Cold.begin
def begun(self):
    sent.update(sys.modules)
    import socket  # the origin waits for this before it answers
    place = sys.argv[4].removeprefix("http://").partition("/")[0].partition(":")
    socket.create_connection((place[0], int(place[2]))).sendall(b"GET /go HTTP/1.1\\r\\n\\r\\n")
    begin(self)
predictor._Cold.begin = begun
{ask}
import json
print(json.dumps([answer, sorted(sent), sorted(sys.modules)]))
"""
PREDICT = """
answer = predictor.Predictor(sys.argv[3], allow_private_addresses=True).predict(sys.argv[4]).to_dict()
"""
LAMBDA = """
import os
os.environ["MLSERVERLESS_MODEL"], os.environ["MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES"] = sys.argv[3], "true"
from mlserverless.adapters.aws import handler
class Context:
    aws_request_id = "id"
    def get_remaining_time_in_millis(self):
        return 60_000
answer = handler({"url": sys.argv[4]}, Context())
"""
# What costs a cold function milliseconds, and can wait until the origin does.
LATER = {
    *("PIL", "hashlib", "ctypes", "logging", "http.client", "email", "ssl", "urllib.parse", "urllib.request"),
    *("tomllib", "dataclasses", "numpy", "concurrent.futures", "datetime", "random", "inspect", "zipfile"),
}


@pytest.mark.parametrize(
    ("ask", "later"), [(PREDICT, LATER | {"json", "struct"}), (LAMBDA, LATER)], ids=["predict", "lambda"]
)
def test_only_what_it_takes_is_imported_before_the_request_is_sent(
    models: Path, photos: Path, tmp_path: Path, ask: str, later: set[str]
) -> None:
    """In an interpreter without site, which has imported nothing yet; in a folder without a pyproject.toml."""
    places = (str(Path(module.__file__ or "").parents[1]) for module in (mlserverless, PIL))
    waited = threading.Event()
    photo = after(waited, response((photos / "chelsea.png").read_bytes()))
    with serving({"/": photo, "/go": lambda *_: waited.set()}) as origin:
        done = subprocess.run(
            [
                *(sys.executable, "-I", "-S", "-c", FIRST.replace("{ask}", ask), *places),
                *(str(models / "efficientnet-lite0"), origin.url()),
            ],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    answer, sent, ended = json.loads(done.stdout)
    assert "cat" in answer["predictions"][0]["label"]
    assert "mlserverless.net.connection" in sent, "it is asked where the request has been sent"
    assert later & set(sent) == set()
    assert {"PIL.Image", "ctypes", "hashlib"} <= set(ended)
