"""Secrets sent in, and looked for in all that comes out: answers, errors as providers log them, processes' output.

Every request has a canary of its own, so that one that shows tells which request it came with.
"""

import json
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from helpers import harness
from helpers.figures import Figure, Scale, skip
from mlserverless.local import gcp
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from security import started
from security.canary_cases import filled, requests, urls
from security.canary_events import (
    INVOKED,
    KEYS,
    credentials,
    direct,
    events,
    notification,
    objects,
    settings,
    stores_at,
    told,
)
from security.canary_origin import MAX_BYTES, CanaryOrigin
from security.hostile_images import Sent
from security.leaky.security_leak import install
from security.ledger import Ledger, everything_logged
from security.runtimes import Fleet, code

NAME, BAR = "secret canaries found in logs, bodies, headers", "0"
# What the requests must have brought about, lest nothing was looked at.
REACHED = {
    *(
        "ok",
        "invalid-request",
        "not-found",
        "source-error",
        "source-blocked",
        "source-not-found",
        "source-timeout",
    ),
    *("image-too-large", "unsupported-media-type", "undecodable-image", "internal"),
}
PLACES = ("body", "headers", "log", "str", "repr", "traceback")
LIMITS = {"download_timeout": 0.2, "max_bytes": MAX_BYTES}
ENVIRONMENT = {
    "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true",
    **{f"MLSERVERLESS_{name.upper()}": str(value) for name, value in LIMITS.items()},
    "MLSERVERLESS_LOG_LEVEL": "debug",
    "PYTHONPATH": str(Path(__file__).parent / "leaky"),
}
FINALIZED_HEADERS = {
    "ce-id": "42",
    "ce-source": "//storage.googleapis.com/projects/_/buckets/images",
    "ce-specversion": "1.0",
    "ce-type": "google.cloud.storage.object.v1.finalized",
    "content-type": "application/json",
}


def over_http(services: dict[str, Service], host: str, ledger: Ledger, scale: Scale) -> None:
    """Ask the four adapters, each in this process as its platform would."""
    asked = requests(host, few=scale.short)
    for cloud in harness.CLOUDS:
        for kind, service in services.items():
            asks = harness.make(cloud, service)
            for request in asked[:: 1 if kind == "open" else 7]:
                sent = filled(request, ledger.token(f"{cloud}, {kind}: {request.name}"))
                headers = {"content-type": sent.kind} if sent.kind else {}
                answer = asks.ask(sent.method, sent.path, headers, sent.body)
                ledger.codes[code(answer)] += 1
                ledger.look("body", answer.body.decode(errors="replace"))
                ledger.look("headers", str(answer.headers))


def without_http(service: Service, host: str, port: int, ledger: Ledger, scale: Scale, folder: Path) -> None:
    """Ask by events, by Lambda's invoke, in Python; with stores and settings that have secrets of their own."""
    for name, template in urls(host, few=scale.short).items():
        for how in INVOKED:
            url = template.replace("{0}", ledger.token(f"{how}: {name!r}"))
            ledger.look_at(direct(service, how, url))
        if not name.startswith("fault"):  # which is in what is called here
            url = template.replace("{0}", ledger.token(f"Predictor.predict: {name!r}"))
            ledger.look_at(told(lambda url=url: service.predictor.predict(url)))  # type: ignore[misc]
    with stores_at(credentials(port, ledger.token("a store's credentials, events"), folder)):
        for key in KEYS:
            for _, shown in events(service, key, ledger.token(f"an event: {key}")):
                ledger.look_at(shown)
    with stores_at(credentials(port, ledger.token("a store's credentials"), folder)):
        for _, shown in objects(service):
            ledger.look_at(shown)
    for _, shown in settings(ledger.token("a setting")):
        ledger.look_at(shown)


def in_runtimes(clouds: tuple[str, ...], origin: CanaryOrigin, ledger: Ledger, scale: Scale, folder: Path) -> None:
    """Ask the real runtimes, whose processes' output is the log."""
    host, secrets = f"127.0.0.1:{origin.port}", credentials(origin.port, ledger.token("credentials"), folder)
    asked = requests(host, few=scale.short)[:: scale.of(3, 5)]
    with ExitStack() as stack:
        fleet = Fleet(stack.enter_context(started.running(clouds, {**ENVIRONMENT, **secrets})), stack)
        for cloud in fleet.runtimes:
            sent = []
            for request in asked:
                made = filled(request, ledger.token(f"{cloud}'s runtime: {request.name}"))
                sent.append(Sent(made.name, made.kind, made.body, (), made.method, made.path))
            for seen in fleet.ask(sent, cloud):
                for answer, _ in seen.values():
                    ledger.look("body", answer.body.decode(errors="replace"))
                    ledger.look("headers", str(answer.headers))
        for key in KEYS:
            name = f"{key}?sig={ledger.token(f'an event in a runtime: {key}')}"
            if function := fleet.runtimes.get("aws"):
                for event in (notification(name), {"url": f"http://{host}/{name}"}, {"url": f"http://u:{name}@/"}):
                    ledger.look("body", function.invoke(event).payload.decode())  # type: ignore[attr-defined]
            if app := fleet.runtimes.get("azure"):
                uri = f"https://account.blob.core.windows.net/images/{name}"
                answer = app.invoke_blob("image_created", b"This is no image.", uri)  # type: ignore[attr-defined]
                ledger.look("body", answer.body.decode())
    if "gcp" in clouds and "gcp" not in started.missing(clouds):
        with gcp.start(target="image_finalized", environment={**ENVIRONMENT, **secrets}) as function:
            for key in KEYS:
                data = {"bucket": "images", "name": f"{key}?sig={ledger.token(f'an event for Google: {key}')}"}
                answered = started.ask(function, "POST", "/", FINALIZED_HEADERS, json.dumps(data).encode())
                ledger.look("body", answered.body.decode(errors="replace"))
    value = f"https://u:{ledger.token('a setting in a runtime')}@127.0.0.1:1/model.tflite"
    with started.running(clouds, {**ENVIRONMENT, "MLSERVERLESS_MODEL": f"{value}?sig={value[10:22]}"}) as runtimes:
        for runtime in runtimes.values():
            ledger.look("body", str(started.ask(runtime, "GET", "/readyz", {})))


def measure(scale: Scale) -> list[Figure]:
    """Send every canary in, and look for it in all that comes out."""
    ledger, origin = Ledger(), CanaryOrigin()
    host = f"127.0.0.1:{origin.port}"
    clouds = ("wsgi",) if scale.short else ("aws", "azure", "gcp", "wsgi")
    missing = started.missing(clouds)
    services = {
        "open": Service(lambda: Predictor(allow_private_addresses=True, log_level="debug", **LIMITS)),
        "blocked": Service(lambda: Predictor(log_level="debug", **LIMITS)),
    }
    with tempfile.TemporaryDirectory() as folder, started.printed() as output:
        try:
            with everything_logged(), mock.patch.object(Predictor, "answer", Predictor.answer):
                install()
                over_http(services, host, ledger, scale)
                without_http(services["open"], host, origin.port, ledger, scale, Path(folder))
            in_runtimes(clouds, origin, ledger, scale, Path(folder))
            ledger.look("log", log := output())
        finally:
            origin.close()
    runs = [cloud for cloud in clouds if cloud not in missing]
    figure = Figure(
        NAME,
        BAR,
        f"{len(ledger.found)} in {ledger.sent} requests × {len(PLACES)} places",
        not ledger.found and bool(runs) and set(ledger.codes) >= REACHED,
        {
            "places": dict(Counter(place for place, _ in ledger.found)),
            "found": [f"{place}: {name}: {around}" for (place, name), around in ledger.found.items()],
            "codes": dict(ledger.codes),
            "runtimes": runs,
            "log_characters": len(log),
        },
    )
    return [figure, *(skip(f"{NAME}: {cloud}", BAR, reason) for cloud, reason in missing.items())]
