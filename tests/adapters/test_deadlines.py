"""What each platform says it will wait is the deadline, and a problem is answered before that is over."""

import json
import time
from pathlib import Path

import azure.functions as func
import pytest

from helpers import harness, origin
from helpers.services import FakeService
from mlserverless.adapters.azure import Blob, BlobCreated, FunctionHttp, limits
from mlserverless.predictor import Predictor
from mlserverless.serving import Redeliver, Service

VARIABLE = "AzureFunctionsJobHost__functionTimeout"
ASKED = json.dumps({"url": "https://x.example/1"}).encode()


@pytest.fixture(autouse=True)
def _no_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (VARIABLE, "AzureWebJobsScriptRoot", "CLOUD_RUN_TIMEOUT_SECONDS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("00:10:00", 600),
        ("01:00:30", 3630),
        ("1.00:00:00", 86_400),
        ("00:02", 120),
        (" 00:00:02 ", 2),
        ("-1", float("inf")),
        ("00:00:00", 300),
        ("soon", 300),
        ("", 300),
    ],
)
def test_azures_app_setting_says_how_long_a_function_may_take(
    said: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, said)
    assert limits.function_timeout() == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ('{"functionTimeout": "00:07:00"}', 420),
        ('{"functionTimeout": "-1"}', float("inf")),
        ('{"functionTimeout": -1}', float("inf")),
        ('{"functionTimeout": null}', 300),
        ('{"version": "2.0"}', 300),
        ("[]", 300),
        ("{", 300),
    ],
)
@pytest.mark.parametrize("root", [False, True])
def test_else_host_json_says_it(
    text: str, seconds: float, root: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "host.json").write_text(text)
    if root:
        monkeypatch.setenv("AzureWebJobsScriptRoot", str(folder))
    else:
        monkeypatch.chdir(folder)
    assert limits.function_timeout() == seconds


def test_the_app_setting_comes_before_host_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host.json").write_text('{"functionTimeout": "00:07:00"}')
    monkeypatch.setenv(VARIABLE, "00:01:00")
    assert limits.function_timeout() == 60


def test_without_either_it_is_the_shortest_of_the_plans_defaults() -> None:
    assert limits.function_timeout() == 300


@pytest.mark.parametrize(
    ("limit", "http", "blob"), [(2.0, 1.5, 1.5), (300.0, 225.0, 299.5), (float("inf"), 225.0, 300.0)]
)
def test_azures_functions_keep_to_it(
    limit: float, http: float, blob: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIMIT_S", limit)
    service = FakeService()
    FunctionHttp(service)(func.HttpRequest("POST", "https://x.example/predict", body=ASKED), "id")
    BlobCreated(service)(Blob(b"image", "https://x.example/1", "id"))
    for left, wanted in zip(service.fake.left, (http, blob), strict=True):
        assert wanted - 0.4 <= left <= wanted


@pytest.mark.parametrize("cloud", ["azure", "gcp", "wsgi"])
def test_a_dripping_origin_is_given_up_before_the_platform_gives_up(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one second that is granted, not the ten of the download's own timeout."""
    monkeypatch.setenv("CLOUD_RUN_TIMEOUT_SECONDS", "1")
    monkeypatch.setattr(limits, "LIMIT_S", 1.0)
    service = Service(lambda: Predictor(allow_private_addresses=True))
    service.warm_up()
    drip = origin.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x")
    with origin.serving({"/drip": drip}) as dripping:
        body = json.dumps({"url": dripping.url("/drip")}).encode()
        path = "/" if cloud == "gcp" else "/predict"
        begun = time.monotonic()
        answer = harness.make(cloud, service).ask("POST", path, {"Content-Type": "application/json"}, body)
        assert time.monotonic() - begun < 1.0
    assert answer.status == 504
    assert json.loads(answer.body)["code"] in ("deadline-exceeded", "source-timeout")


def test_a_blob_that_comes_too_late_is_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIMIT_S", 0.1)
    service = Service(Predictor)
    photo = Path(__file__).parents[2] / "examples" / "photos" / "coffee.png"
    with pytest.raises(Redeliver, match="deadline-exceeded"):
        BlobCreated(service)(Blob(photo.read_bytes(), "https://x.example/1", "id"))
