"""The main job: four photos through every cloud's real runtime and through plain Python, and one table.

Run it with ``make demo``. The photos are served from this machine, which is why private addresses are allowed;
each runtime fetches them by URL as in the cloud. A runtime that cannot run here is left out, with the reason. What
the runtimes log goes to ``build/demo.log``.
"""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from mlserverless import Predictor
from mlserverless.local import aws, azure, deploy, gcp, wsgi
from mlserverless.local.runtime import Runtime
from mlserverless.web.answers import JSON, respond
from photo_server import serve_photos

LOG = Path("build", "demo.log")
PHOTOS = ("coffee.png", "chelsea.png", "rocket.jpg", "flower.jpg")
SETTINGS = {"MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"}

RUNTIMES: dict[str, tuple[Callable[[], str | None], Callable[[], Runtime]]] = {
    "AWS Lambda": (
        aws.available,
        lambda: aws.start(
            handler="app.handler", app_dir=deploy.folder("aws"), emulator=True, environment=SETTINGS
        ),
    ),
    "Azure Functions": (
        azure.available,
        lambda: azure.start(app_dir=deploy.folder("azure"), environment=SETTINGS),
    ),
    "Google Cloud": (gcp.available, lambda: gcp.start(environment=SETTINGS)),
    "WSGI (gunicorn)": (wsgi.available, lambda: wsgi.start(environment=SETTINGS)),
}


def ask(base: str, photo_url: str) -> bytes:
    """Return the body that the function at ``base`` answers for the photo at ``photo_url``."""
    at = urlsplit(base)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=60)
    try:
        body = json.dumps({"url": photo_url, "top_k": 3})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        return connection.getresponse().read()
    finally:
        connection.close()


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Have this process and those that it starts log to ``path`` instead of stderr; show it where that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = os.dup(2)
    with path.open("wb") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    except BaseException:
        os.write(shown, path.read_bytes())
        raise
    finally:
        os.dup2(shown, 2)
        os.close(shown)


def plain_python(photo_url: str, predictor: Predictor) -> bytes:
    """Return what the wire would carry for a prediction made in this process."""
    return respond(200, JSON, predictor.predict(photo_url, top_k=3).to_dict(), "").body


def show(body: bytes) -> str:
    """Return the best class of an answer, or its problem, as a table's cell."""
    answer = json.loads(body)
    if "predictions" not in answer:
        return f"[red]{answer.get('code', 'no answer')}"
    best = answer["predictions"][0]
    return f"{best['label']} [cyan]{best['score']:.3f}"


def answer_all() -> tuple[dict[str, list[bytes]], dict[str, float], dict[str, str]]:
    """Return by runtime the answers for the photos, the seconds until the first, and why others are left out."""
    address = serve_photos()
    urls = [address + photo for photo in PHOTOS]
    answers: dict[str, list[bytes]] = {}
    first: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name, (available, start) in RUNTIMES.items():
        if reason := available():
            left_out[name] = reason
            continue
        begun = time.perf_counter()
        runtime = start()
        try:
            answers[name] = [ask(runtime.url, urls[0])]
            first[name] = time.perf_counter() - begun
            answers[name] += [ask(runtime.url, url) for url in urls[1:]]
        finally:
            runtime.close()
    begun = time.perf_counter()
    predictor = Predictor(allow_private_addresses=True)
    answers["plain Python"] = [plain_python(urls[0], predictor)]
    first["plain Python"] = time.perf_counter() - begun
    answers["plain Python"] += [plain_python(url, predictor) for url in urls[1:]]
    return answers, first, left_out


def main() -> int:
    """Print the table; return 0 where every answer is the same on every runtime."""
    console = Console(width=None if sys.stdout.isatty() else 132)
    with log_to(LOG):
        answers, first, left_out = answer_all()
    table = Table("photo", *answers, header_style="bold")
    for row, photo in enumerate(PHOTOS):
        table.add_row(photo, *(show(bodies[row]) for bodies in answers.values()))
    table.add_section()
    table.add_row("start to first answer", *(f"{first[name]:.2f} s" for name in answers))
    console.print(table)
    for name, reason in left_out.items():
        console.print(f"left out: {name}: {reason}", markup=False)
    same = len({tuple(bodies) for bodies in answers.values()}) == 1
    predicted = all(b'"predictions":[{' in body for bodies in answers.values() for body in bodies)
    identical = same and predicted
    print(f"identical: {'yes' if identical else f'no; what the runtimes logged is in {LOG}'}")
    return 0 if identical and not (left_out and os.environ.get("MLSERVERLESS_GATES") == "required") else 1


if __name__ == "__main__":
    sys.exit(main())
