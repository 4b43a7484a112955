"""Objects in real stores, read by URL and by the events of each cloud's real runtime."""

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus, urlsplit

import obstore
import pytest
from obstore.store import from_url

from mlserverless import MlserverlessError, Predictor
from mlserverless import stores as read_stores
from mlserverless.local import aws, azure, deploy, gcp

from . import stores
from .origin import PHOTOS

pytestmark = pytest.mark.real
COFFEE = (PHOTOS / "coffee.png").read_bytes()
MODELS = Path(__file__).parents[2] / "models"
KEY = "new uploads/café+1.png"


@pytest.fixture(scope="module", params=["s3", "gs", "az"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[stores.Store]:
    from tests.conftest import need

    if request.param == "az":
        need(stores.npm_missing())
    folder = tmp_path_factory.mktemp("store")
    make: dict[str, Callable[[], stores.Store]] = {
        "s3": stores.s3,
        "gs": lambda: stores.gcs(folder),
        "az": stores.azure,
    }
    started = make[request.param]()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in started.environment.items():
            patch.setenv(name, value)
        place = from_url(started.place, client_options={"allow_http": True})
        obstore.put(place, KEY, COFFEE)
        obstore.put(place, "note.txt", b"this is no image")
        read_stores._store.cache_clear()
        yield started
    started.close()


def test_an_object_is_read_by_url(store: stores.Store) -> None:
    answer = Predictor(top_k=1).predict(f"{store.place}/{KEY}")
    assert answer.predictions[0].label == "espresso"


def test_a_missing_object(store: stores.Store) -> None:
    with pytest.raises(MlserverlessError, match=f"There is no object {store.place}/absent.png") as caught:
        Predictor().predict(f"{store.place}/absent.png")
    assert (caught.value.code, caught.value.retryable) == ("source-not-found", False)


def test_an_object_that_is_too_large(store: stores.Store) -> None:
    with pytest.raises(MlserverlessError, match=rf"{len(COFFEE):,} bytes; at most 1,000") as caught:
        Predictor(max_bytes=1000).predict(f"{store.place}/{KEY}")
    assert caught.value.code == "image-too-large"


def test_a_bucket_that_is_not_allowed(store: stores.Store) -> None:
    with pytest.raises(MlserverlessError, match="not among the places") as caught:
        Predictor(allowed_hosts=["images.example.com"]).predict(f"{store.place}/{KEY}")
    assert caught.value.code == "source-blocked"
    assert Predictor(allowed_hosts=[store.place]).predict(f"{store.place}/{KEY}").predictions


def test_a_model_in_a_store(store: stores.Store, tmp_path: Path) -> None:
    place = from_url(store.place, client_options={"allow_http": True})
    for file in (MODELS / "dogs-vs-cats").iterdir():
        obstore.put(place, f"models/mine/{file.name}", file.read_bytes())
    given = {"model": f"{store.place}/models/mine", "cache_dir": tmp_path / "kept"}
    cat = (PHOTOS / "chelsea.png").read_bytes()
    answer, expected = Predictor(**given).predict(cat), Predictor("dogs-vs-cats").predict(cat)
    assert answer.to_dict() == expected.to_dict()
    assert Predictor(**given).predict(cat).to_dict() == expected.to_dict()  # of what was kept
    with pytest.raises(MlserverlessError, match="There is no object") as caught:
        Predictor(**{**given, "model": f"{store.place}/models/absent"}).load()
    assert caught.value.code == "model-unavailable"


def notification(key: str) -> dict[str, object]:
    place = {"bucket": {"name": "images"}, "object": {"key": quote_plus(key, safe="/")}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": place}]}


@pytest.mark.parametrize("store", ["s3"], indirect=True)
@pytest.mark.parametrize("emulator", [False, True], ids=["runtime-api", "rie"])
def test_an_s3_notification_in_lambdas_runtime(
    store: stores.Store, emulator: bool, need: Callable[[str | None], None]
) -> None:
    need(aws.available())
    options = {"handler": "app.handler", "app_dir": deploy.folder("aws"), "environment": store.environment}
    with aws.start(emulator=emulator, **options) as function:
        done = function.invoke(notification(KEY))
        assert not done.function_error
        assert json.loads(done.payload)["results"][0]["predictions"][0]["label"] == "espresso"
        failed = function.invoke(notification("note.txt"))
        assert failed.function_error
        assert "s3://images/note.txt: unsupported-media-type" in json.loads(failed.payload)["errorMessage"]
        assert not function.invoke({"Service": "Amazon S3", "Event": "s3:TestEvent"}).function_error


def post(url: str, path: str, headers: dict[str, str], body: bytes) -> int:
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=60)
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("store", ["gs"], indirect=True)
def test_a_cloud_storage_event_in_functions_framework(
    store: stores.Store, need: Callable[[str | None], None], capfd: pytest.CaptureFixture[str]
) -> None:
    need(gcp.available())
    event = {
        "ce-id": "42",
        "ce-source": "//storage.googleapis.com/projects/_/buckets/images",
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.storage.object.v1.finalized",
        "content-type": "application/json",
    }
    with gcp.start(target="event", environment=store.environment) as function:
        assert post(function.url, "/", event, json.dumps({"bucket": "images", "name": KEY}).encode()) == 204
        line = next(x for x in capfd.readouterr().err.splitlines() if x.startswith("{"))
        assert json.loads(line)["predictions"][0]["label"] == "espresso"
        assert json.loads(line)["source"] == f"gs://images/{KEY}"
        assert post(function.url, "/", event, json.dumps({"bucket": "images", "name": "note.txt"}).encode()) == 400


def test_a_blob_in_azures_runtime(
    need: Callable[[str | None], None], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    need(azure.available())
    with azure.start(app_dir=deploy.folder("azure")) as app:
        uri = "https://account.blob.core.windows.net/images/coffee.png"
        assert app.invoke_blob("image_created", COFFEE, f"{uri}?sv=2024&sig=secret").status == 202
        told = capfd.readouterr().err
        assert '"label":"espresso"' in told
        assert uri in told
        assert "secret" not in told
        failed = app.invoke_blob("image_created", b"this is no image", uri)
        assert failed.status == 500
        assert b"unsupported-media-type" in failed.body
