"""Models at URLs: downloaded once, checked before they are used, kept where nobody else writes."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from helpers import modelfile, onnxmodel, tls
from helpers.modelfolder import DATA
from helpers.origin import Origin, Reply, response, serving
from mlserverless import remote, stores
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.errors import ModelUnavailable, SourceError
from mlserverless.loading import _read
from mlserverless.net import pool

DIGEST = sha256(DATA).hexdigest()
TOML = f'name = "mine"\nsha256 = "{DIGEST}"\nlabels = "labels.txt"\n'.encode()
SECRET = "sig=c4n4ry"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tls.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def origin(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    tls.trust(monkeypatch, certificate)
    replies: dict[str, Reply] = {
        f"/mine/{name}{query}": response(body, Connection="close")
        for name, body in (("model.toml", TOML), ("labels.txt", b"cat\ndog\n"), ("model.tflite", DATA))
        for query in ("", f"?{SECRET}")
    }
    with serving(replies, tls.server(certificate)) as running:
        yield running
        pool.clear()


def settings(tmp_path: Path, where: str, **more: Any) -> Settings:
    return Settings.load({}, model=where, cache_dir=str(tmp_path / "kept"), **more)


def fails(chosen: Settings) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        _read(chosen, Deadline(20))
    assert "c4n4ry" not in str(caught.value)
    assert not [name for name in _kept(chosen) if name.endswith(".part")]
    return str(caught.value)


def _kept(chosen: Settings) -> list[str]:
    return os.listdir(chosen.cache_dir) if os.path.isdir(chosen.cache_dir) else []


def at(origin: Origin, path: str) -> str:
    return origin.url(path, host="localhost")


def test_folder_is_read_like_one_on_the_disk(tmp_path: Path, origin: Origin) -> None:
    found = _read(settings(tmp_path, at(origin, f"/mine/?{SECRET}")), Deadline(20))
    assert (found.name, found.data, found.sha256, found.pinned) == ("mine", DATA, DIGEST, True)
    assert found.labels == ("cat", "dog")
    assert origin.paths == [f"/mine/{name}?{SECRET}" for name in ("model.toml", "labels.txt", "model.tflite")]


def test_model_file_is_downloaded_once(tmp_path: Path, origin: Origin) -> None:
    chosen = settings(tmp_path, at(origin, "/mine"))
    for _ in range(3):
        _read(chosen, Deadline(20))
    assert origin.paths.count("/mine/model.tflite") == 1
    assert stat.S_IMODE(os.stat(chosen.cache_dir).st_mode) == 0o700


def test_single_file_takes_its_pin_from_the_settings_and_its_name_from_the_url(
    tmp_path: Path, origin: Origin
) -> None:
    chosen = settings(tmp_path, at(origin, f"/mine/model.tflite?{SECRET}"), model_sha256=DIGEST.upper())
    found = _read(chosen, Deadline(20))
    assert (found.name, found.sha256, found.labels) == ("model", DIGEST, ())
    renewed = chosen._replace(model=at(origin, "/mine/model.tflite?sig=another"))  # the same file, signed anew
    assert _read(renewed, Deadline(20)).path == found.path
    assert origin.paths == [f"/mine/model.tflite?{SECRET}"]


@pytest.mark.parametrize("path", ["/mine/model.tflite", "/bare"])
def test_model_without_a_pin_is_not_asked_for(tmp_path: Path, origin: Origin, path: str) -> None:
    origin.replies[f"/bare/model.toml?{SECRET}"] = response(b"")
    said = fails(settings(tmp_path, at(origin, f"{path}?{SECRET}")))
    assert "set MLSERVERLESS_MODEL_SHA256, or sha256 in its model.toml, to what sha256sum prints" in said
    assert not [asked for asked in origin.paths if "tflite" in asked]


def test_another_file_than_the_pinned_one_is_not_kept(tmp_path: Path, origin: Origin) -> None:
    origin.replies["/mine/model.tflite"] = response(DATA + b"x")
    chosen = settings(tmp_path, at(origin, "/mine"))
    said = fails(chosen)
    digest = sha256(DATA + b"x").hexdigest()
    assert said == (
        f"The model file {at(origin, '/mine/model.tflite')} has the sha256 {digest}, but {DIGEST} is pinned."
    )
    assert [name for name in _kept(chosen) if not name.endswith(".lock")] == []


def test_pins_that_differ_are_told(tmp_path: Path, origin: Origin) -> None:
    said = fails(settings(tmp_path, at(origin, "/mine"), model_sha256="0" * 64))
    assert f"its model.toml pins the sha256 {DIGEST}, but the setting model_sha256 pins {'0' * 64}" in said


def test_kept_file_that_was_damaged_is_fetched_again(tmp_path: Path, origin: Origin) -> None:
    chosen = settings(tmp_path, at(origin, "/mine"))
    path = Path(_read(chosen, Deadline(20)).path)
    path.write_bytes(DATA[:-1] + b"?")
    assert _read(chosen, Deadline(20)).data == DATA
    assert origin.paths.count("/mine/model.tflite") == 2


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (b"name = [", "model.toml cannot be read"),
        (b"\xff", "model.toml cannot be read"),
        (b'nane = "x"', "nane is not known"),
        (b'file = "../model.tflite"', "names '../model.tflite', which is no file beside it"),
        (b'file = "/etc/passwd"', "no file beside it"),
        (b'labels = ".."', "no file beside it"),
        (b'labels = "a\\\\b"', "no file beside it"),
        (b'file = "model.toml"', "no file beside it"),
        (b'file = ""', "file is ''; accepted is the name of the model's file, or no such line"),
        (b"input = 3", "input is 3; accepted is a section [input]"),
    ],
)
def test_wrong_model_toml_is_told_by_its_url(tmp_path: Path, origin: Origin, toml: bytes, said: str) -> None:
    origin.replies[f"/mine/model.toml?{SECRET}"] = response(toml)
    told = fails(settings(tmp_path, at(origin, f"/mine?{SECRET}"), model_sha256=DIGEST))
    assert said in told
    assert at(origin, "/mine") in told


@pytest.mark.parametrize("where", ["http://h.example/m", "file:///m.tflite", "ftp://h/m.tflite"])
def test_other_schemes_are_refused(tmp_path: Path, where: str) -> None:
    said = fails(settings(tmp_path, f"{where}?{SECRET}", model_sha256=DIGEST))
    assert said == f"The model {where} is not read: accepted are https, s3, gs and az URLs."


@pytest.mark.parametrize(("status", "retryable"), [("404 Not Found", False), ("503 Service Unavailable", True)])
def test_download_that_fails_says_why_and_whether_to_try_again(
    tmp_path: Path, origin: Origin, status: str, retryable: bool
) -> None:
    for name in ("model.tflite", "model.onnx"):
        origin.replies[f"/mine/{name}"] = response(b"", status)
    with pytest.raises(ModelUnavailable, match=f"cannot be downloaded: localhost answered {status}") as caught:
        _read(settings(tmp_path, at(origin, "/mine")), Deadline(20))
    assert caught.value.retryable is retryable
    origin.replies["/mine/model.tflite"] = response(DATA)
    assert _read(settings(tmp_path, at(origin, "/mine")), Deadline(20)).sha256 == DIGEST


def test_threads_download_it_once(tmp_path: Path, origin: Origin) -> None:
    chosen, found = settings(tmp_path, at(origin, "/mine")), []
    threads = [threading.Thread(target=lambda: found.append(_read(chosen, Deadline(20)).sha256)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [DIGEST] * 8
    assert origin.paths.count("/mine/model.tflite") == 1


CHILD = """
import ssl, sys
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.loading import _read
from mlserverless.net import connection
connection._contexts.append(ssl.create_default_context(cafile=sys.argv[1]))
print(_read(Settings.load({}, model=sys.argv[2], cache_dir=sys.argv[3]), Deadline(20)).sha256)
"""


def test_processes_download_it_once(tmp_path: Path, origin: Origin, certificate: Path) -> None:
    given = [str(certificate), at(origin, "/mine"), str(tmp_path / "kept")]
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, *given], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [child.communicate(timeout=60)[0].strip() for child in children] == [DIGEST] * 4
    assert origin.paths.count("/mine/model.tflite") == 1


def test_one_that_waits_too_long_may_try_again(tmp_path: Path, origin: Origin) -> None:
    chosen = settings(tmp_path, at(origin, "/mine"))
    folder = remote.fetch(chosen, Deadline(20))
    with remote.locked(f"{folder}.lock", Deadline(5)), pytest.raises(ModelUnavailable) as caught:
        remote.fetch(chosen, Deadline(0.5))
    assert "Another process was still downloading" in str(caught.value)
    assert caught.value.retryable


def test_download_that_was_killed_leaves_nothing_behind(tmp_path: Path, origin: Origin) -> None:
    chosen = settings(tmp_path, at(origin, "/mine"))
    folder = remote.fetch(chosen, Deadline(20))
    os.rename(folder, f"{folder}.part")  # as if it had been killed before the last step
    Path(f"{folder}.part", "junk").write_text("x")
    assert remote.fetch(chosen, Deadline(20)) == folder
    assert sorted(os.listdir(folder)) == ["labels.txt", "model.tflite", "model.toml"]
    assert not os.path.exists(f"{folder}.part")


def test_place_that_cannot_be_written_to_is_named(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(ModelUnavailable) as caught:
        remote.fetch(settings(tmp_path, at(origin, "/mine")), Deadline(20))
    assert f"cannot be kept in {tmp_path / 'kept'}" in str(caught.value)
    assert "Set MLSERVERLESS_CACHE_DIR to a folder that may be written to and has room." in str(caught.value)


def test_default_place_is_this_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shelf = remote._shelf("")
    assert shelf == str(tmp_path / f"mlserverless-{os.getuid()}")
    assert stat.S_IMODE(os.stat(shelf).st_mode) == 0o700
    os.chmod(shelf, 0o777)
    with pytest.raises(ModelUnavailable, match="belongs to somebody else, or others may write to it"):
        remote._shelf("")
    os.rmdir(shelf)
    os.symlink(tmp_path, shelf)
    with pytest.raises(ModelUnavailable, match="belongs to somebody else"):
        remote._shelf("")


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_object_stores_are_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    held = {"model.toml": TOML, "labels.txt": b"cat\ndog\n", "model.tflite": DATA}
    asked: list[str] = []

    def stream(url: str, deadline: Deadline, take: Any, *, max_bytes: int, what: str) -> None:
        asked.append(url)
        if url.rpartition("/")[2] not in held:
            raise SourceError("no")
        take(held[url.rpartition("/")[2]])

    monkeypatch.setattr(stores, "stream", stream)
    found = _read(settings(tmp_path, f"{scheme}://bucket/models/mine"), Deadline(20))
    assert (found.name, found.sha256, found.labels) == ("mine", DIGEST, ("cat", "dog"))
    assert asked == [
        f"{scheme}://bucket/models/mine/{name}" for name in ("model.toml", "labels.txt", "model.tflite")
    ]


def test_file_that_is_no_model_is_told_even_where_its_pin_holds(tmp_path: Path, origin: Origin) -> None:
    data = b"no model at all"
    origin.replies["/mine/model.tflite"] = response(data)
    digest = sha256(data).hexdigest()
    chosen = settings(tmp_path, at(origin, "/mine/model.tflite"), model_sha256=digest)
    assert "is not a TFLite model: it lacks the identifier TFL3" in fails(chosen)


def test_labels_that_change_are_read_anew(tmp_path: Path, origin: Origin) -> None:
    chosen = settings(tmp_path, at(origin, "/mine"))
    assert _read(chosen, Deadline(20)).labels == ("cat", "dog")
    origin.replies["/mine/labels.txt"] = response(b"owl\nfox\n")
    assert _read(chosen, Deadline(20)).labels == ("owl", "fox")


def test_model_of_its_own_metadata_needs_no_more_than_the_file(tmp_path: Path, origin: Origin) -> None:
    data = modelfile.model(modelfile.metadata([0.0], [255.0], "l.txt"), {"l.txt": b"cat\ndog\n"})
    origin.replies["/m.tflite"] = response(data)
    digest = sha256(data).hexdigest()
    found = _read(settings(tmp_path, at(origin, "/m.tflite"), model_sha256=digest), Deadline(20))
    assert (found.labels, found.input.range) == (("cat", "dog"), ((0.0,), (255.0,)))
    assert found.name == "m"


def test_disk_that_is_full_is_told_as_such(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(tmp_path, at(origin, "/mine"))

    class Full:
        """A file on a disk without room."""

        def __init__(self, path: str, mode: str) -> None:
            Path(path).write_bytes(b"")

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, data: bytes) -> None:
            if data == DATA:
                raise OSError(28, "No space left on device")

    monkeypatch.setattr(remote, "open", Full, raising=False)
    said = fails(chosen)
    assert "cannot be kept in" in said
    assert "No space left on device. Set MLSERVERLESS_CACHE_DIR to a folder" in said


def test_single_onnx_file_is_one_too(tmp_path: Path, origin: Origin) -> None:
    data = onnxmodel.classifier()
    origin.replies["/mine/flowers.onnx"] = response(data, Connection="close")
    pin = sha256(data).hexdigest()
    found = _read(settings(tmp_path, at(origin, "/mine/flowers.onnx"), model_sha256=pin), Deadline(20))
    assert (found.name, found.data, os.path.basename(found.path)) == ("flowers", data, "model.onnx")


def test_an_onnx_model_in_a_folder_is_read(tmp_path: Path, origin: Origin) -> None:
    data = onnxmodel.classifier()
    toml = f'file = "model.onnx"\nsha256 = "{sha256(data).hexdigest()}"\n'.encode()
    origin.replies["/onnx/model.toml"] = response(toml, Connection="close")
    origin.replies["/onnx/model.onnx"] = response(data, Connection="close")
    assert _read(settings(tmp_path, at(origin, "/onnx")), Deadline(20)).data == data


def test_folder_that_names_no_file_may_have_an_onnx_model_as_one_on_the_disk_may(
    tmp_path: Path, origin: Origin
) -> None:
    data = onnxmodel.classifier()
    toml = f'sha256 = "{sha256(data).hexdigest()}"\n'.encode()
    origin.replies["/onnx/model.toml"] = response(toml, Connection="close")
    origin.replies["/onnx/model.tflite"] = response(b"there is none", "404 Not Found", Connection="close")
    origin.replies["/onnx/model.onnx"] = response(data, Connection="close")
    for _ in range(2):
        found = _read(settings(tmp_path, at(origin, "/onnx")), Deadline(20))
        assert (found.data, os.path.basename(found.path)) == (data, "model.onnx")
    assert os.listdir(os.path.dirname(found.path)).count("model.tflite") == 0
    assert origin.paths.count("/onnx/model.onnx") == 1


@pytest.mark.parametrize(("status", "retryable"), [("404 Not Found", False), ("503 Service Unavailable", True)])
def test_folder_without_either_file_is_told_so(
    tmp_path: Path, origin: Origin, status: str, retryable: bool
) -> None:
    for name in ("model.tflite", "model.onnx"):
        origin.replies[f"/mine/{name}?{SECRET}"] = response(b"", status)
    with pytest.raises(ModelUnavailable) as caught:
        _read(settings(tmp_path, at(origin, f"/mine?{SECRET}")), Deadline(20))
    assert f"file {at(origin, '/mine/model.tflite')} cannot be downloaded: localhost answered {status}" in str(
        caught.value
    )
    assert ("Nor can model.onnx" in str(caught.value)) is not retryable
    assert "c4n4ry" not in str(caught.value)
    assert caught.value.retryable is retryable


@pytest.mark.parametrize("library", ["libmine.so", "libedgetpu.so.1", "/tmp/x.so"])
def test_a_model_from_elsewhere_may_not_have_native_code_loaded(
    tmp_path: Path, origin: Origin, library: str
) -> None:
    toml = TOML + f'[[delegates]]\nlibrary = "{library}"\nrequired = false\n'.encode()
    origin.replies["/mine/model.toml"] = response(toml, Connection="close")
    told = fails(settings(tmp_path, at(origin, "/mine")))
    assert (
        "its model.toml names a delegate, which is native code: only a model folder on the function's own" in told
    )
    assert "/mine/model.tflite" not in origin.paths
