"""The page in a real Chromium, against each cloud's real runtime: what people do with it, what it asks for."""

import http.client
import json
import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from helpers import browser, detector
from helpers.figures import Figure, Scale, skip
from helpers.runtimes import REASONS, start
from mlserverless.local import deploy
from ux import page_jobs
from ux.page_jobs import HOSTILE, JOBS, MORE, PHOTOS, Place

CLOUDS = ("aws", "azure", "gcp", "wsgi")
FILE = Path(__file__).parents[2] / "src" / "mlserverless" / "web" / "page.html"
LARGEST = 60_000  # bytes
MAX_BYTES = 500_000  # of an image, so that one is too large
# Which colours and screens axe-core looks at, all of them and in the shortened form.
LOOKS = tuple((scheme, *size) for scheme in ("light", "dark") for size in ((1280, 900), (390, 844)))
FEW = LOOKS[0], LOOKS[3]


class Seen(NamedTuple):
    """What came of the jobs at one runtime: seconds of each, which failed and why, what the browsers noted."""

    jobs: dict[str, float]
    failed: dict[str, str]
    requests: int
    outside: list[str]
    errors: list[str]
    violations: list[str]
    looked_at: int


def measure(scale: Scale) -> list[Figure]:
    """Return the figures."""
    size = FILE.stat().st_size
    told = [Figure("page: one file", f"≤ {LARGEST:,} bytes", f"{size:,} bytes", size <= LARGEST)]
    name = "page in Chromium: "
    if reason := browser.lacking():
        return [*told, *(skip(name + cloud, "all pass", reason) for cloud in CLOUDS)]
    seen: dict[str, Seen] = {}
    with tempfile.TemporaryDirectory() as folder, served() as photos, browser.started() as chromium:
        models = write_models(Path(folder))
        for cloud in CLOUDS:
            if reason := REASONS[cloud]():
                told.append(skip(name + cloud, "all pass", reason))
                continue
            whole = not scale.short or cloud == "aws"
            jobs = (*JOBS, *MORE) if whole else JOBS if cloud in ("azure", "gcp") else JOBS[:2]
            looks = LOOKS if not scale.short else FEW if whole else ()
            seen[cloud] = _tried(cloud, Path(folder), models, photos, chromium, jobs, looks)
            made = seen[cloud]
            passed = f"{len(made.jobs) - len(made.failed)} of {len(made.jobs)} pass"
            details: dict[str, Any] = {"failed": made.failed, "seconds": made.jobs, "chromium": chromium.version}
            told.append(Figure(name + cloud, "all pass", passed, not made.failed, details))
    violations = [found for made in seen.values() for found in made.violations]
    outside = [url for made in seen.values() for url in made.outside]
    errors = [text for made in seen.values() for text in made.errors]
    looked, asked = (sum(getattr(made, key) for made in seen.values()) for key in ("looked_at", "requests"))
    done = sum(len(made.jobs) for made in seen.values())
    return [
        *told,
        _none("page: axe-core violations", violations, f"in {looked} states", some=looked),
        _none("page: requests to elsewhere", outside, f"of {asked}", some=asked),
        _none("page: errors and breaches of its policy", errors, f"in {done} jobs", some=done),
    ]


def _none(name: str, found: list[str], among: str, some: int = 1) -> Figure:
    return Figure(name, "0", f"{len(found)} {among}", not found and some > 0, {"found": found[:50]})


def write_models(folder: Path) -> str:
    """Write a detector, a model of raw tensors and pictures; return the setting that names the models."""
    from PIL import Image

    data = detector.model()
    made = {
        "detector": (
            data,
            f'sha256 = "{sha256(data).hexdigest()}"\nlabels = "labels.txt"\n[input]\nlayout = "nhwc"\n',
        ),
        "tensors": (
            (PHOTOS.parents[1] / "models/dogs-vs-cats/model.tflite").read_bytes(),
            'task = "raw"\n[input]\n',
        ),
    }
    for name, (model, text) in made.items():
        (folder / name).mkdir()
        (folder / name / "model.tflite").write_bytes(model)
        (folder / name / "model.toml").write_text(text + 'range = "unit"\n')
        (folder / name / "labels.txt").write_text(f"cat\ndog\n{HOSTILE}\n")
    for at, size in enumerate(((640, 480), (900, 2700), (2700, 300), (30, 20))):
        Image.new("RGB", size, (200, 150, 90)).save(folder / f"colours-{at}.png")
    Image.open(PHOTOS / "coffee.png").resize((2400, 1600)).save(folder / "large.png")
    return ",".join(f"{name}={folder / name}" for name in made)


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Serve on the loopback; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):  # a page that is left asks no further
                answer(self)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()


@contextmanager
def served() -> Iterator[str]:
    """Serve the example photos; yield the address."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        path = PHOTOS / to.path.partition("?")[0].strip("/")
        if not path.is_file():
            return to.send_error(404)
        to.send_response(200)
        to.send_header("Content-Length", str(path.stat().st_size))
        to.end_headers()
        to.wfile.write(path.read_bytes())
        return None

    with server(answer) as url:
        yield url


@contextmanager
def staged(url: str) -> Iterator[str]:
    """Serve what is at ``url`` below a stage, as API Gateway does; yield the stage's address, without a slash."""
    host = url.removeprefix("http://")

    def answer(to: BaseHTTPRequestHandler) -> None:
        if not re.match("/prod(/|$)", to.path):
            return to.send_error(403, "Missing Authentication Token")
        body = to.rfile.read(int(to.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection(host, timeout=60)
        headers = {name: value for name, value in to.headers.items() if name.lower() != "host"}
        connection.request(to.command, to.path.removeprefix("/prod") or "/", body, headers)
        got = connection.getresponse()
        data = got.read()
        to.send_response_only(got.status)
        for name, value in got.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                to.send_header(name, value)
        to.end_headers()
        to.wfile.write(data)
        connection.close()
        return None

    with server(answer) as made:
        yield f"{made}/prod"


def _folder(cloud: str, into: Path) -> Path | None:
    """Return the deploy folder: Azure's with the prefix that its apps have when nothing is said."""
    if cloud != "azure":
        return None
    copy = Path(shutil.copytree(deploy.folder("azure"), into / "azure"))
    host = json.loads((copy / "host.json").read_text())
    del host["extensions"]["http"]
    (copy / "host.json").write_text(json.dumps(host))
    return copy


def _tried(
    cloud: str,
    folder: Path,
    models: str,
    photos: str,
    chromium: Any,
    jobs: Sequence[Callable[[Place], None]],
    looks: Sequence[tuple[str, int, int]],
) -> Seen:
    settings = {"ALLOW_PRIVATE_ADDRESSES": "true", "MODELS": models, "MAX_BYTES": str(MAX_BYTES)}
    environment = {f"MLSERVERLESS_{name}": value for name, value in settings.items()}
    visits: list[browser.Visit] = []
    violations: list[str] = []
    failed: dict[str, str] = {}
    seconds: dict[str, float] = {}
    looked = 0
    with ExitStack() as stack:
        runtime = start(cloud, environment, folder=_folder(cloud, folder))
        stack.callback(runtime.close)
        # Each cloud's own kind of address: a stage without a slash, a prefix with a key, a host alone.
        url = {"aws": stack.enter_context(staged(runtime.url)), "azure": f"{runtime.url}/api/?code=a%2Bb/c=="}.get(
            cloud, f"{runtime.url}/"
        )

        def visit(**how: Any) -> browser.Visit:
            visits.append(browser.Visit(chromium, url, **how))
            return visits[-1]

        place = Place(url, photos, folder, visit)
        for job in jobs:
            begun = time.monotonic()
            try:
                job(place)
            except Exception as error:  # noqa: BLE001 - told, and the next one is tried
                traceback.print_exc()
                line = traceback.extract_tb(error.__traceback__)[-1].line
                failed[job.__name__] = f"{type(error).__name__} at {line}: {error}"[:600]
            seconds[job.__name__] = round(time.monotonic() - begun, 1)
        for scheme, width, height in looks:
            states = page_jobs.looked_at(place, scheme, width, height)
            looked += len(states)
            violations += [f"{cloud}, {scheme}, {width}, {state}: {one}" for state, one in states if one]
    return Seen(
        seconds,
        failed,
        sum(len(made.requests) for made in visits),
        [one for made in visits for one in made.outside],
        [one for made in visits for one in made.errors],
        violations,
        looked,
    )
