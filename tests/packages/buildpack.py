"""Google's part: gcloud's own check of the flags, and its buildpack's steps replayed on the source folder."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from delivery.conformance import over
from helpers.figures import Figure, skip
from helpers.google_api import GoogleApi
from mlserverless.bundle import resolve
from mlserverless.local.process import ServerProcess, on_free_port
from mlserverless.local.runtime import child_environment
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing.http import JPEG, Case, check, expected_of
from packages.built import MODEL, package

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "examples" / "photos" / "flower.jpg"
KINDS = {
    "flags.yaml": [],
    "flags-bucket.yaml": ["--trigger-bucket", "photos"],
    "flags-topic.yaml": ["--trigger-topic", "photos"],
}
ACCOUNT = "classifier@a-project.iam.gserviceaccount.com"


def figures() -> list[Figure]:
    """Return what gcloud makes of the flags and the service, and what the buildpack's steps end in."""
    return [_flags(), _built()]


def _flags() -> Figure:
    name = "gcloud functions deploy --flags-file, gcloud run services replace"
    bar = "accepted by gcloud itself; what it asks Google for is what the files say"
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return skip(name, bar, "the gcloud command line is not installed")
    made, wrong = package("gcp"), list[str]()
    with GoogleApi() as api, TemporaryDirectory(prefix="gcloud-") as home:
        told = api.environment(Path(home))
        base = [gcloud, "--quiet", f"--access-token-file={api.token(Path(home))}"]
        for file, trigger in KINDS.items():
            words = [*base, "functions", "deploy", "classify", "--flags-file", file, "--region", "europe-west1"]
            words += [*trigger, "--service-account", ACCOUNT, "--source", str(made.out / "source")]
            words += ["--trigger-service-account", ACCOUNT] if trigger else []
            wrong += [f"{file}: {text}" for text in _asked(words, made.out, told, api, bool(trigger))]
        words = [*base, "run", "services", "replace", "service.yaml", "--region", "europe-west1"]
        wrong += [f"service.yaml: {text}" for text in _replaced(words, made.out, told, api)]
    shown = "; ".join(wrong)[-300:] or f"{len(KINDS)} functions and a service, as they say"
    return Figure(name, bar, shown, not wrong)


def _gcloud(words: list[str], folder: Path, told: dict[str, str]) -> str:
    try:
        done = subprocess.run(words, cwd=folder, env=told, capture_output=True, text=True, timeout=90)
    except subprocess.TimeoutExpired as error:
        return f"not done after 90 s: {(error.stderr or b'')[-200:]!r}"
    return "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr[-200:]}"


def _asked(words: list[str], folder: Path, told: dict[str, str], api: GoogleApi, event: bool) -> list[str]:
    """Deploy a function; return what it asked for that is not as it should be."""
    api.asked.clear()
    if said := _gcloud(words, folder, told):
        return [said]
    (body,) = [one.body for one in api.asked if one.method == "POST" and one.path.endswith("/functions")]
    service, build = body["serviceConfig"], body["buildConfig"]
    wanted: dict[str, tuple[Any, Any]] = {
        "runtime": (build["runtime"], "python313"),
        "entry point": (build["entryPoint"], "event" if event else "predict"),
        "memory": (service["availableMemory"], "1Gi"),
        "cpu": (service["availableCpu"], "1"),
        "concurrency": (service["maxInstanceRequestConcurrency"], 4),
        "most instances": (service["maxInstanceCount"], 20),
        "timeout": (service["timeoutSeconds"], 60),
        "account": (service["serviceAccountEmail"], ACCOUNT),
        "retry": (body.get("eventTrigger", {}).get("retryPolicy"), "RETRY_POLICY_RETRY" if event else None),
        "public": ("allUsers" in json.dumps([one.body for one in api.asked]), False),
        "uploaded": (any(one.path == "/upload" for one in api.asked), True),
    }
    return [f"{what} is {is_so!r}" for what, (is_so, meant) in wanted.items() if is_so != meant]


def _replaced(words: list[str], folder: Path, told: dict[str, str], api: GoogleApi) -> list[str]:
    """Deploy the service; return what it asked for that is not as it should be."""
    api.asked.clear()
    if said := _gcloud(words, folder, told):
        return [said]
    (body,) = [one.body for one in api.asked if one.method == "POST" and one.path.endswith("/services")]
    spec = body["spec"]["template"]["spec"]
    wanted = {
        "concurrency": (spec["containerConcurrency"], 4),
        "timeout": (spec["timeoutSeconds"], 60),
        "limits": (spec["containers"][0]["resources"]["limits"], {"cpu": "1", "memory": "1Gi"}),
        "probe": (spec["containers"][0]["startupProbe"]["httpGet"]["path"], "/healthz"),
        "account": (spec["serviceAccountName"], "SERVICE_ACCOUNT"),
    }
    return [f"{what} is {is_so!r}" for what, (is_so, meant) in wanted.items() if is_so != meant]


def _built() -> Figure:
    name = "the Google buildpack's steps: compileall, pip install --user, functions-framework"
    bar = "clean, and a prediction bit-identical to the library's"
    found = resolve.interpreter("3.13")
    if found is None:
        return skip(name, bar, "this machine has no Python 3.13")
    with TemporaryDirectory(prefix="buildpack-") as made:
        folder = Path(made)
        source, base, empty = folder / "source", folder / "user", folder / "python"
        shutil.copytree(package("gcp").out / "source", source)
        told = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
        }
        told |= {
            "PYTHONUSERBASE": str(base),
            "PIP_BREAK_SYSTEM_PACKAGES": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        ask_base = [found, "-c", "import sys; print(sys._base_executable)"]
        python = subprocess.run(ask_base, capture_output=True, text=True, check=True).stdout.strip()
        install = ["-m", "pip", "install", "--quiet", "--user", "--no-warn-script-location", "--no-compile"]
        # This machine's Python may have packages of its own, which Google's does not: they do not count at the
        # installation, and the function runs in an environment that does not see them.
        install += ["--ignore-installed", "--requirement", "requirements.txt"]
        for step in (["-m", "compileall", "-f", "-q", "."], install, ["-m", "venv", "--without-pip", str(empty)]):
            done = subprocess.run(
                [python, *step], cwd=source, env=told, capture_output=True, text=True, timeout=600
            )
            if done.returncode:
                said = (done.stdout + done.stderr).strip()[-300:]
                return Figure(name, bar, f"{' '.join(step[:3])} ended with {done.returncode}: {said}", False)
        (site,) = base.glob("lib/python3.*/site-packages")
        with _serving(
            [str(empty / "bin" / "python"), str(base / "bin" / "functions-framework")], site, source
        ) as running:
            wrong = _differs(running.url)
    return Figure(name, bar, wrong or "clean, identical", not wrong)


def _serving(command: list[str], site: Path, source: Path) -> ServerProcess:
    """Start functions-framework as Google does: in the source folder, by the function's name."""

    def on(port: int) -> ServerProcess:
        told = {"K_SERVICE": "classify", "FUNCTION_TARGET": "predict", "PORT": str(port), "PYTHONPATH": str(site)}
        words = [*command, "--target", "predict", "--host", HOST, "--port", str(port)]
        return ServerProcess(words, HOST, port, child_environment({**told, "MLSERVERLESS_THREADS": "1"}), source)

    return on_free_port(on, HOST, 0)


def _differs(url: str) -> str:
    """Return in what the function's answer differs from the library's; "" where it does not."""
    case = Case("flower.jpg", "POST", "/predict?top_k=1000", JPEG, PHOTO.read_bytes(), 200)
    expected = expected_of(Service(lambda: Predictor(model=str(ROOT / "models" / MODEL), threads=1)))
    try:
        check(case, over(url), expected)
    except AssertionError as error:
        return str(error)[-300:]
    return ""
