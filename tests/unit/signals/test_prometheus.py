"""The page that Prometheus scrapes, read by its own parsers; in one process and over several."""

import json
import os
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from helpers.services import PREDICTION, FakeService
from helpers.web import JSON, URL, ask
from mlserverless.adapters.wsgi import Wsgi
from mlserverless.errors import Overloaded, SourceError
from mlserverless.serving import Service


def get(service: Service, accept: str = "", method: str = "GET") -> tuple[int, dict[str, str], str]:
    told: list[Any] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/metrics",
        "HTTP_ACCEPT": accept,
        "wsgi.input": BytesIO(b""),
    }
    body = b"".join(Wsgi(service)(environ, lambda status, headers: told.extend((status, headers))))
    return int(told[0][:3]), dict(told[1]), body.decode()


def samples(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{json.dumps(sample.labels, sort_keys=True) if sample.labels else ''}": sample.value
        for family in plain(text)
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket", "_sum"))
    }


def test_requests_stages_and_models_are_counted() -> None:
    def answer(request: Any) -> Any:
        return {"1": PREDICTION, "2": SourceError("gone"), "3": Overloaded("busy")}[request.url[-1]]

    service = FakeService(answer, telemetry="prometheus")
    for last in "1123":
        ask(service, "POST", "/predict", "", JSON, URL.replace(b"/1", f"/{last}".encode()))
    body = json.dumps({"urls": ["https://x.example/1", "https://x.example/2"]}).encode()
    ask(service, "POST", "/", "", JSON, body)
    ask(service, "GET", "/x?sig=secret")
    status, headers, text = get(service)
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert headers["Cache-Control"] == "no-store"
    found = samples(text)
    requests = 'mlserverless_requests_total{"code": "%s", "route": "%s", "status": "%s", "trigger": "http"}'
    version = next(name for name in found if name.startswith("mlserverless_model_info"))
    assert found == {
        requests % ("", "/predict", "200"): 2,
        requests % ("source-error", "/predict", "502"): 1,
        requests % ("overloaded", "/predict", "503"): 1,
        requests % ("source-error", "/", "200"): 1,
        requests % ("not-found", "", "404"): 1,
        'mlserverless_request_duration_seconds_count{"route": "/predict", "trigger": "http"}': 4,
        'mlserverless_request_duration_seconds_count{"route": "/", "trigger": "http"}': 1,
        'mlserverless_request_duration_seconds_count{"route": "", "trigger": "http"}': 1,
        'mlserverless_stage_duration_seconds_count{"stage": "download"}': 3,
        'mlserverless_stage_duration_seconds_count{"stage": "invoke"}': 3,
        'mlserverless_items_total{"code": ""}': 3,
        'mlserverless_items_total{"code": "source-error"}': 2,
        'mlserverless_items_total{"code": "overloaded"}': 1,
        'mlserverless_items_total{"code": "not-found"}': 1,
        "mlserverless_cold_starts_total": 1,
        "mlserverless_requests_in_flight": 0,
        version: 1,
    }
    assert '"sha256": "' + "0" * 64 in version
    assert "secret" not in text


def test_the_form_is_by_what_the_scraper_accepts() -> None:
    service = FakeService(telemetry="prometheus")
    ask(service, "POST", "/predict", "", JSON, URL)
    _, headers, text = get(service, "application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert {family.name for family in openmetrics(text)} == {
        family.name.removesuffix("_total")
        for family in plain(get(service)[2])
        if not family.name.endswith("_created")
    }


def test_requests_under_way_are_counted() -> None:
    service = FakeService(lambda _: (begun.set(), go.wait(10), PREDICTION)[2], telemetry="prometheus")
    begun, go = threading.Event(), threading.Event()
    asking = threading.Thread(target=ask, args=(service, "POST", "/predict", "", JSON, URL))
    asking.start()
    assert begun.wait(10)
    assert samples(get(service)[2])["mlserverless_requests_in_flight"] == 1
    go.set()
    asking.join()
    assert samples(get(service)[2])["mlserverless_requests_in_flight"] == 0


def test_without_the_setting_there_is_no_page() -> None:
    assert get(FakeService())[0] == 404
    assert get(FakeService(telemetry="emf"))[0] == 404


def test_only_get_is_answered_with_the_page() -> None:
    assert get(FakeService(telemetry="prometheus"), method="POST")[0] == 404


WORKER = """
import os, sys
sys.path.insert(0, "tests")
from helpers.services import FakeService
from helpers.web import JSON, URL, ask
service = FakeService(telemetry="prometheus")
for _ in range(int(sys.argv[1])):
    ask(service, "POST", "/predict", "", JSON, URL)
print(service.signals.others["prometheus"].page("")[1].decode())
"""


def test_several_processes_add_up(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for times, sum_of in ((2, 2), (3, 5)):  # each asks the files of both
        done = subprocess.run(
            [sys.executable, "-c", WORKER, str(times)],
            env=environment,
            capture_output=True,
            timeout=60,
            check=True,
        )
        found = samples(done.stdout.decode())
        counted = [value for name, value in found.items() if name.startswith("mlserverless_requests_total")]
        assert counted == [sum_of]
        assert found["mlserverless_cold_starts_total"] == sum_of // 2


@pytest.fixture(autouse=True)
def _env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
