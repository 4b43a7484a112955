"""The first prediction from the artefact, with its bytecode and without: fresh processes in turn."""

import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from helpers.figures import Figure, Scale, skip
from mlserverless.bundle import resolve
from mlserverless.testing.world import photo
from packages.built import package

NAME, BAR = "first prediction against the same artefact without bytecode", "≤ 0.7 ×"
# What Lambda's runtime does before the first answer, in as few words: import the entry file, hand an event over.
SCRIPT = """
import base64, sys
sys.path.insert(0, ".")
from app import handler
class Context:
    aws_request_id = "1"
    def get_remaining_time_in_millis(self): return 60000
body = base64.b64encode(sys.stdin.buffer.read()).decode()
http = {"method": "POST", "path": "/", "sourceIp": "127.0.0.1"}
event = {"version": "2.0", "rawPath": "/", "rawQueryString": "", "headers": {"content-type": "image/jpeg"},
         "requestContext": {"http": http, "requestId": "1"}, "isBase64Encoded": True, "body": body}
assert handler(event, Context())["statusCode"] == 200
"""


def measure(scale: Scale) -> list[Figure]:
    """Return the ratio of the medians."""
    python = resolve.interpreter("3.13")
    if python is None:
        return [skip(NAME, BAR, "this machine has no Python 3.13")]
    made, pairs = package("aws", stores=False), scale.of(20, 8)
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder, "bare")
        shutil.copytree(made.root, bare, ignore=shutil.ignore_patterns("__pycache__"))
        _once(python, made.root)  # both are in the page cache from here on
        _once(python, bare)
        times = [(_once(python, made.root), _once(python, bare)) for _ in range(pairs)]
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = ours / theirs
    shown = f"{ratio:.2f} × ({ours * 1000:.0f} against {theirs * 1000:.0f} ms, medians of {pairs})"
    return [Figure(NAME, BAR, shown, ratio <= 0.7, {"seconds": times})]


def _once(python: str, root: Path) -> float:
    begin = time.perf_counter()
    command = [python, "-I", "-S", "-B", "-c", SCRIPT]
    subprocess.run(command, cwd=root, input=photo(), check=True, env={"PATH": ""})
    return time.perf_counter() - begin
