"""Results as objects: in a folder, and in S3, which moto's server plays here."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.origin import response, serving
from helpers.s3 import moto_server, use_s3_at
from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, SinkError
from mlserverless.sinks.objects import ObjectSink

RECORD: dict[str, Any] = {"key": "k1", "source": "s3://b/é.jpg", "predictions": []}
LINE = '{"key":"k1","source":"s3://b/é.jpg","predictions":[]}\n'.encode()
DIES = """
import os, sys
from mlserverless.deadline import Deadline
from mlserverless.sinks.objects import ObjectSink
os.link = lambda *_: os._exit(9)
ObjectSink("file://" + sys.argv[1]).put("k1", {"key": "k1"}, Deadline())
"""
FULL = """
import resource, sys
from mlserverless.deadline import Deadline
from mlserverless.sinks.objects import ObjectSink
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (50, most))
try:
    ObjectSink("file://" + sys.argv[1]).put("k1", {"key": "k1", "text": "x" * 100}, Deadline())
finally:  # what measures this process's coverage writes a file, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
"""

# --- a folder ---


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", ["file://{}", "file:{}", "file://{}/"])
def test_a_record_is_a_file_of_one_line(tmp_path: Path, form: str) -> None:
    sink = ObjectSink(form.format(tmp_path / "new" / "results"))
    assert not sink.has("k1", Deadline())
    sink.put("k1", RECORD, Deadline())
    assert (tmp_path / "new" / "results" / "k1.json").read_bytes() == LINE
    assert sink.has("k1", Deadline())
    assert not sink.has("k2", Deadline())
    assert sink.keeps


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    sink = ObjectSink(f"file://{tmp_path}")
    sink.put("k1", RECORD, Deadline())
    sink.put("k1", {"key": "k1", "predictions": ["another"]}, Deadline())
    assert (tmp_path / "k1.json").read_bytes() == LINE
    assert files(tmp_path) == ["k1.json"], "and no other is left"


def test_of_many_writers_at_once_one_wins_whole(tmp_path: Path) -> None:
    sink, start = ObjectSink(f"file://{tmp_path}"), threading.Barrier(8)

    def put(number: int) -> None:
        start.wait()
        sink.put("k1", {"by": number, "text": "x" * 100_000}, Deadline())

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads((tmp_path / "k1.json").read_text())["text"]) == 100_000
    assert files(tmp_path) == ["k1.json"]


def test_a_process_that_dies_over_a_file_leaves_no_result_and_stands_in_nobodys_way(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == 9
    sink = ObjectSink(f"file://{tmp_path}")
    assert not sink.has("k1", Deadline())
    (left,) = files(tmp_path)
    assert left.endswith(".part")
    sink.put("k1", RECORD, Deadline())
    assert (tmp_path / "k1.json").read_bytes() == LINE


def test_a_full_disk_is_told_and_not_filled_further(tmp_path: Path) -> None:
    """Or each redelivery would leave another half file. In a process of its own, whose files may not grow."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == (
        f"mlserverless.errors.SinkError: The result could not be written: {tmp_path}/k1.json: File too large."
    )
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(SinkError, match=r"could not be written: .*: Not a directory"):
        ObjectSink(f"file://{tmp_path}/taken/results").put("k1", RECORD, Deadline())


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    folder = "/proc/self" if os.geteuid() == 0 else str(tmp_path)  # where root may not write, either
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match=rf"^The result could not be written: {folder}/k1\.json: ") as caught:
        ObjectSink(f"file://{folder}").put("k1", RECORD, Deadline())
    assert caught.value.retryable


@pytest.mark.parametrize("url", ["file:", "file://", "file:results", "file://results/here", "file:./results"])
def test_a_path_that_is_not_absolute_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match=r"wants an absolute path, as in file:///folder\. See docs/"):
        ObjectSink(url)


# --- a store ---


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    pytest.importorskip("obstore", reason="obstore, which writes to the stores, is not installed")
    with moto_server() as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
def s3(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    use_s3_at(monkeypatch, moto)
    client = pytest.importorskip("boto3").client("s3")
    client.create_bucket(Bucket="results")
    return client


@pytest.mark.parametrize(("url", "key"), [("s3://results/one/", "one/k1.json"), ("s3://results", "k1.json")])
def test_a_record_is_an_object_below_the_prefix(s3: Any, url: str, key: str) -> None:
    sink = ObjectSink(url)
    assert not sink.has("k1", Deadline(5))
    sink.put("k1", RECORD, Deadline(5))
    assert s3.get_object(Bucket="results", Key=key)["Body"].read() == LINE
    assert sink.has("k1", Deadline(5))


def test_an_object_that_is_there_stays_as_it_is(s3: Any) -> None:
    sink = ObjectSink("s3://results/two")
    sink.put("k1", RECORD, Deadline(5))
    sink.put("k1", {"key": "k1", "predictions": ["another"]}, Deadline(5))
    assert s3.get_object(Bucket="results", Key="two/k1.json")["Body"].read() == LINE


def test_a_bucket_that_is_not_there_is_told(s3: Any) -> None:
    sink = ObjectSink("s3://no-such-bucket/x")
    with pytest.raises(
        SinkError, match=r"^The result could not be written: There is no s3://no-such-bucket to write to\."
    ):
        sink.put("k1", RECORD, Deadline(5))
    assert not sink.has("k1", Deadline(5))


@pytest.mark.parametrize(
    ("status", "told"), [("403 No", "may not write s3://b/k1.json"), ("400 No", "could not keep s3://b/k1.json")]
)
def test_what_the_store_refuses_is_a_sinks_error(monkeypatch: pytest.MonkeyPatch, status: str, told: str) -> None:
    """That may pass, whatever the store says: the deployment is mended, and the event comes again."""
    with serving({"/b/k1.json": response(b"", status)}) as origin:
        use_s3_at(monkeypatch, origin.url(""))
        sink = ObjectSink("s3://b")
        with pytest.raises(SinkError, match=told) as caught:
            sink.put("k1", RECORD, Deadline(5))
        assert caught.value.retryable
        assert not sink.has("k1", Deadline(5)), "it cannot be told, so that the work is done again"
    stores._store.cache_clear()


def test_a_store_that_is_not_there_is_a_sinks_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use_s3_at(monkeypatch, f"http://127.0.0.1:{port}")
    sink = ObjectSink("s3://b/p")
    with pytest.raises(SinkError, match=r"^The result could not be written: The store "):
        sink.put("k1", RECORD, Deadline(1))
    assert not sink.has("k1", Deadline(1))
    stores._store.cache_clear()


@pytest.mark.parametrize(
    ("url", "own"),
    [
        (f"s3://b/results/{'0a' * 32}.json", True),
        (f"s3://b/results/{'0A' * 32}.json", False),
        (f"s3://b/results/in/{'0a' * 32}.json", False),
        (f"s3://other/{'0a' * 32}.json", False),
        ("s3://b/results/k.json", False),
        ("s3://b/results/cat.jpg", False),
        ("s3://b/results", False),
        ("s3://b/results-of-others/k.json", False),
        ("s3://other/results/k.json", False),
        ("gs://b/results/k.json", False),
        ("https://h.example/results/k.json", False),
    ],
)
def test_a_result_below_the_prefix_is_its_own_and_an_image_there_is_not(url: str, own: bool) -> None:
    for sink in (ObjectSink("s3://b/results"), ObjectSink("s3://b/results/")):
        assert sink.owns(url) is own


def test_a_folders_files_have_no_url_to_be_classified_by() -> None:
    assert not ObjectSink("file:///tmp/results").owns("https://tmp/results/k.json")


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "gs://",
        "az:///results",
        "s3://b u/x",
        "s3://user:pw@b/x",
        "s3://b//x",
        "s3://b/../x",
        "s3://b/./x",
    ],
)
def test_a_place_that_cannot_be_written_to_is_a_wrong_setting(url: str) -> None:
    """Told when the sink is opened, not with the first result."""
    with pytest.raises(ConfigError) as caught:
        ObjectSink(url)
    assert "pw" not in str(caught.value)
