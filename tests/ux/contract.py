"""Is what each HTTP adapter answers what ``/openapi.json`` says? Schemathesis asks, a client nobody here wrote.

The providers' real runtimes where there is one; of Lambda's other ways in, which have none, the harness of
tests/adapters behind a small server. Each describes itself, and is asked what its own description allows and what
it does not. All of schemathesis' default checks are on; contract.toml says what is expected beyond, and why.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from helpers import harness, origin
from helpers.figures import Figure, Scale, skip
from helpers.runtimes import REASONS, start
from mlserverless.local.front import Front
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web.http import HttpRequest, HttpResponse

HERE = Path(__file__).parent
PHOTO = HERE.parents[1] / "examples" / "photos" / "flower.jpg"
REAL = ("aws", "azure", "gcp", "wsgi")
BOUND = ("aws-http-api", "aws-rest-api", "aws-alb", "aws-alb-multi-value")
MODEL, SEED = "dogs-vs-cats", "20261129"
# No name is looked up, and no other host than this one's own origin is reached.
SETTINGS = {"model": MODEL, "allowed_hosts": "127.0.0.1", "allow_private_addresses": "true", "request_log": "off"}
SETTINGS |= {"download_timeout": "2", "threads": "1", "concurrency": "1"}
CASES, TIME_S = 2000, 1800
CONFIG = (HERE / "contract.toml").read_text(encoding="utf-8")
# Azure's host knows no TRACE: a function cannot name it among its methods, and answers others with 404 itself.
NO_TRACE = '[phases.coverage]\nunexpected-methods = ["DELETE", "GET", "PATCH", "POST", "PUT"]\n'


def measure(scale: Scale) -> list[Figure]:
    """Ask each adapter; a figure each."""
    pages = {"/flower.jpg": origin.response(PHOTO.read_bytes()), "/text": origin.response(b"no image")}
    pages["/none"] = origin.response(b"", status="404 Not Found")
    with origin.serving(pages, most=1_000_000) as served:
        urls = [served.url(path) for path in ("/flower.jpg", "/text", "/none")]
        return [_figure(cloud, urls, scale) for cloud in (*REAL, *BOUND)]


def _figure(cloud: str, urls: list[str], scale: Scale) -> Figure:
    least = scale.of(CASES, 140)
    name, bar = f"schemathesis against {cloud}, all operations", f"0 failures, ≥ {least:,} cases"
    if cloud in REAL and (reason := REASONS[cloud]()):
        return skip(name, bar, reason)
    with _real(cloud) if cloud in REAL else _bound(cloud) as url:
        report, told = _asked(cloud, url, urls, scale)
    cases, operations = report.get("test_cases", {}), report.get("operations", {})
    made = cases.get("generated", 0)
    tested, every = operations.get("tested", 0), operations.get("total", 1)
    wrong = cases.get("unique_failures", 0) + len(report.get("errors", []))
    shown = f"{wrong} failures, {made:,} cases, {tested} of {every} operations"
    whole = report.get("complete") is True and report.get("exit_code") == 0 and tested == every > 0
    kept = {key: report.get(key) for key in ("test_cases", "operations", "failures", "errors", "running_time")}
    details = {"schemathesis": version("schemathesis"), "seed": SEED, **kept, "told": told}
    if not whole:
        print(told, file=sys.stderr)
    return Figure(name, bar, shown, whole and not wrong and made >= least, details)


@contextmanager
def _real(cloud: str) -> Iterator[str]:
    running = start(cloud, {f"MLSERVERLESS_{name.upper()}": value for name, value in SETTINGS.items()})
    try:
        yield running.url
    finally:
        running.close()


@contextmanager
def _bound(cloud: str) -> Iterator[str]:
    predictor = Predictor(**SETTINGS)
    asked = harness.make(cloud, Service(lambda: predictor))

    def handle(request: HttpRequest) -> HttpResponse:
        target = quote(request.path) + (f"?{request.query}" if request.query else "")
        answer = asked.ask(request.method, target, request.headers, request.body)
        return HttpResponse(answer.status, tuple(answer.headers.items()), answer.body)

    front = Front(handle)
    try:
        yield front.url
    finally:
        front.close()


def _asked(cloud: str, url: str, urls: list[str], scale: Scale) -> tuple[dict[str, Any], str]:
    """Return schemathesis' report and, where something failed, what it printed."""
    phases = "examples,fuzzing" if scale.short else "examples,coverage,fuzzing"
    most = scale.of(80, 10)
    with tempfile.TemporaryDirectory(prefix="contract-") as folder:
        report, config = Path(folder, "report.json"), Path(folder, "config.toml")
        config.write_text(CONFIG + (NO_TRACE if cloud == "azure" else ""), encoding="utf-8")
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
        command += [f"{url}/openapi.json", "--phases", phases, "--max-examples", str(most), "--seed", SEED]
        command += ["--continue-on-failure", "--no-color", "--report", "json", "--report-json-path", str(report)]
        paths = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        more = {
            "CONTRACT_URLS": json.dumps(urls),
            "CONTRACT_CLOUD": cloud,
            "SCHEMATHESIS_HOOKS": "ux.contract_hooks",
            "PYTHONPATH": paths,
        }
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            timeout=TIME_S,
            check=False,
        )
        found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    told = re.sub(r"(?s)\A.*?(?==+ (?:FAILURES|ERRORS) =)", "", done.stdout + done.stderr)
    return found, told[:20_000] if done.returncode else ""
