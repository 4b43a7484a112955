"""Golden predictions: what a package must answer, byte for byte, whatever was left out of it.

Every format in every kind of pixel, every problem of the wire contract, images by URL and from a store, and the
target's events go through the target's own entry file, in a process with nothing but the package on its path.
"""

import base64
import io
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from mlserverless.bundle import child
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.stage import ENTRIES
from mlserverless.bundle.targets import Target
from mlserverless.formats import PLUGINS
from mlserverless.testing.http import ID, JPEG, JSON, LIMIT, cases
from mlserverless.testing.world import World, photo, tag_of

SECONDS = 300.0
MODES = {
    "jpeg": ("RGB", "L", "CMYK"),
    "png": ("RGB", "L", "LA", "RGBA", "P", "1", "I;16"),
    "webp": ("RGB", "RGBA"),
    "gif": ("P", "L"),
    "bmp": ("RGB", "L", "P", "1"),
    "tiff": ("RGB", "RGBA", "L", "CMYK", "1", "I;16"),
    "avif": ("RGB", "RGBA"),
}
# Ways to encode beside the default, each with a decoder of its own behind it.
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("jpeg", {"progressive": True}),
    ("jpeg", {"quality": 95, "subsampling": 0}),
    ("webp", {"lossless": True}),
    *(("tiff", {"compression": name}) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
    *(("tiff", {"compression": name}) for name in ("zstd", "lzma")),
)


class Run(NamedTuple):
    """What a package answered, what it used, the most memory it took (bytes)."""

    answers: tuple[Any, ...]
    used: frozenset[str]
    peak: int


@cache
def pictures() -> dict[str, bytes]:
    """Return encoded pictures by name: each format and kind of pixel, turned ones, truncated ones."""
    from PIL import Image, features

    small = Image.open(io.BytesIO(photo())).resize((96, 64))
    found: dict[str, bytes] = {}
    for kind, modes in MODES.items():
        for mode in modes:
            picture = small.convert(mode)
            if mode in ("LA", "RGBA"):
                picture.putalpha(small.convert("L"))  # of an opaque one encoders keep no alpha
            found[f"{kind} {mode}"] = _encode(picture, kind)
        found[f"{kind} truncated"] = found[f"{kind} {modes[0]}"][: -len(found[f"{kind} {modes[0]}"]) // 3]
    for kind, options in WAYS:
        if kind != "tiff" or features.check("libtiff"):
            found[f"{kind} {options}"] = _encode(small, kind, **options)
    for turned in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = turned
        found[f"jpeg turned {turned}"] = _encode(small, "jpeg", exif=exif)
    found["png too many pixels"] = _encode(Image.new("L", (3000, 2000)), "png")
    return found


def _encode(image: Any, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, PLUGINS[kind][1], **options)
    return out.getvalue()


def requests(world: World, models: Sequence[str] = (), *, raw: bool = False) -> list[dict[str, Any]]:
    """Return the HTTP requests, as :mod:`~mlserverless.bundle.child` takes them; of further ``models`` a few each.

    ``raw``: the first model's task is that, so that nothing can be chosen of its answers.
    """
    asked, every = [case.at(world.places()) for case in cases(raw=raw)], "" if raw else "?top_k=1000"
    made = [_request(c.method, c.target, c.headers, c.body) for c in asked]
    made += [_request("POST", f"/predict{every}", JPEG, data) for data in pictures().values()]
    urls = [world.at("busy"), world.at("text"), "http://127.0.0.1:9/x", "https://127.0.0.1:9/x", "http://[::1"]
    urls += [f"{scheme}://images/{name}" for scheme in ("s3", "gs", "az") for name in ("photo", "missing")]
    for model in models:
        query = f"model={quote(model)}"
        made += [_request("GET", f"/model?{query}", {}, b""), _request("POST", f"/?{query}", JPEG, photo())]
    made += [_request("POST", "/", JSON, json.dumps({"url": url}).encode()) for url in urls]
    return [*made, _request("GET", "/", {"accept": "text/html"}, b"")]  # the page


def _request(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = target.partition("?")
    named = {name.lower(): value for name, value in {**headers, "x-request-id": ID}.items()}
    coded = base64.b64encode(body).decode()
    return {"method": method, "path": path, "query": query, "headers": named, "body": coded}


def events(target: Target, world: World) -> list[Any]:
    """Return events of the target's triggers, some of them broken."""
    url, broken = {"url": world.at("photo-event.jpg")}, {"url": world.at("text-event")}
    if target.provider == "aws":
        return [*_lambda_events(world), {**url, "top_k": 2}, {"urls": [url["url"]]}, broken, {"what": 1}]
    if target.provider == "azure":
        place = f"{world.origin}/images/"
        blobs = (("a.jpg", photo()), ("b.txt", b"no image"))
        return [{"name": n, "uri": place + n, "body": base64.b64encode(data).decode()} for n, data in blobs]
    # Each with an id of its own: without one a message is a new one each time.
    bodies = (json.dumps(url), json.dumps(broken), "Hello!")
    coded = [base64.b64encode(body.encode()).decode() for body in bodies]
    path = "/event" if target.provider == "gcp" else "/events"
    pushes = [{"path": path, "body": {"message": {"messageId": data, "data": data}}} for data in coded]
    cloud = {"ce-specversion": "1.0", "ce-id": "2", "ce-source": "/me", "ce-type": "image.added"}
    return [*pushes, {"path": path, "headers": cloud, "body": url}, {"path": "/schedule", "body": {}}]


def _lambda_events(world: World) -> list[dict[str, Any]]:
    stored = {"bucket": {"name": "images"}, "object": {"key": "photo-1.jpg", "eTag": tag_of(photo())}}
    s3 = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": stored}]}
    told = {"bucket": {"name": "images"}, "object": {"key": "photo-2.jpg", "etag": tag_of(photo())}}
    bus = {"id": "1", "source": "aws.s3", "detail-type": "Object Created", "detail": told}
    bodies = (json.dumps(s3), json.dumps({"url": world.at("photo-3.jpg")}), "Hello!", world.at("busy-1"))
    queue = [{"eventSource": "aws:sqs", "messageId": str(at), "body": body} for at, body in enumerate(bodies)]
    topic = {"MessageId": "9", "Message": json.dumps({"url": world.at("photo-4.jpg")})}
    data = base64.b64encode(world.at("photo-5.jpg").encode()).decode()
    stream = {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "1", "data": data}}
    timer = {"id": "2", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    notified = [{"Records": [{"EventSource": "aws:sns", "Sns": topic}]}, {"Records": [stream]}]
    return [s3, bus, {"Records": queue}, *notified, timer]


def run(
    target: Target,
    python: str,
    paths: Sequence[Path],
    folder: Path,
    world: World,
    formats: Sequence[str],
    models: Sequence[str] = (),
    *,
    raw: bool = False,
) -> Run:
    """Answer everything in a fresh process of ``python`` with ``paths`` on its path, started in ``folder``.

    Images of other ``formats`` are sent as well: they have to be refused alike. ``models``: the names of further
    ones; ``raw``: the first one's task is that.

    Raises BuildError with the process's own words where it dies.
    """
    asked = {
        "paths": [str(path) for path in paths],
        "folder": str(folder),
        "provider": target.provider,
        "entry": ENTRIES[target.provider].removesuffix(".py"),
        "requests": requests(world, models, raw=raw),
        "events": events(target, world),
    }
    with tempfile.TemporaryDirectory(prefix="proof-") as results:
        command = [python, "-I", "-S", "-B", child.__file__]
        try:
            done = subprocess.run(  # noqa: S603 - our own words
                command,
                input=json.dumps(asked),
                env=_environment(world, results, formats),
                capture_output=True,
                text=True,
                errors="replace",  # libraries log what they like
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"The package for {target} gave no answers within {SECONDS:.0f} s.") from error
        if done.returncode:
            raise BuildError(f"The package for {target} ends with code {done.returncode}: {done.stderr[-2000:]}")
        told = json.loads(done.stdout)
        records = [json.loads(path.read_bytes()) for path in sorted(Path(results).glob("*.json"))]
    kept = [{name: value for name, value in record.items() if name != "time"} for record in records]
    return Run((*told["answers"], *told["events"], *kept), frozenset(told["used"]), told["peak"])


def _environment(world: World, results: str, formats: Sequence[str]) -> dict[str, str]:
    ours = {"SINK": f"file://{results}", "FORMATS": ",".join(formats), "MAX_BYTES": str(LIMIT)}
    ours |= {"ALLOWED_HOSTS": ""}  # a project's own list would refuse the golden URLs, so that stores look unused
    ours |= {"MAX_PIXELS": "4000000", "TIMEOUT": "30", "DOWNLOAD_TIMEOUT": "5", "THREADS": "1"}
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    prefixed = {f"MLSERVERLESS_{name}": value for name, value in ours.items()}
    # A project's telemetry is opened, and tells nothing: there is no collector here, and each answer would wait.
    return {**kept, **world.environment(), **prefixed, "OTEL_SDK_DISABLED": "true"}


def differences(wanted: Run, found: Run) -> list[str]:
    """Return what ``found`` answers otherwise than ``wanted``, in words; none where they are alike."""
    if len(wanted.answers) != len(found.answers):
        return [f"{len(found.answers)} answers and records, not {len(wanted.answers)}"]
    pairs = enumerate(zip(wanted.answers, found.answers, strict=True))
    return [f"answer {at}: {_short(b)}, not {_short(a)}" for at, (a, b) in pairs if a != b]


def _short(answer: Any) -> str:
    if "body" in answer:
        return f"{answer['status']} {base64.b64decode(answer['body'])[:300]!r}"
    return str(answer)[:300]
