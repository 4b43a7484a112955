"""Golden predictions: what is asked, of which targets, and how the answers of two packages are compared."""

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, features

from mlserverless.bundle import golden
from mlserverless.bundle.golden import Run
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import PROVIDERS, Target
from mlserverless.formats import PLUGINS
from mlserverless.testing.http import cases
from mlserverless.testing.world import World

CONTAINER = Target("container", f"{sys.version_info.major}.{sys.version_info.minor}")
APP = """
import hashlib, json, os

with open(os.environ["MLSERVERLESS_SINK"].removeprefix("file://") + "/1.json", "w") as file:
    json.dump({"key": "1", "time": os.getpid(), "formats": os.environ["MLSERVERLESS_FORMATS"]}, file)

def application(environ, start_response):
    start_response("200 OK", [("X-A", "a")])
    return [hashlib.sha256(environ["wsgi.input"].read()).digest()]
"""


@pytest.fixture(scope="module")
def world() -> Any:
    with World() as made:
        yield made


def run(folder: Path, world: World, source: str, formats: tuple[str, ...] = ("jpeg", "png")) -> Run:
    """Answer everything with an entry file of that source alone."""
    (folder / "app.py").write_text(source)
    return golden.run(CONTAINER, sys.executable, [folder], folder, world, formats)


def test_there_are_pictures_of_every_format_whole_and_truncated() -> None:
    found = golden.pictures()
    assert set(golden.MODES) == set(PLUGINS)
    for kind, modes in golden.MODES.items():
        assert {f"{kind} {mode}" for mode in modes} | {f"{kind} truncated"} <= set(found)
        opened = Image.open(io.BytesIO(found[f"{kind} {modes[0]}"]))
        assert opened.format == PLUGINS[kind][1]
        with pytest.raises((OSError, ValueError, SyntaxError)):  # as Pillow's plugins tell it
            Image.open(io.BytesIO(found[f"{kind} truncated"])).load()
    assert len(set(found.values())) == len(found), "each is another"
    clear = {name for name in found if name.endswith("A") and _mode(found[name]) in ("LA", "RGBA")}
    assert {"png LA", "png RGBA", "webp RGBA", "tiff RGBA", "avif RGBA"} <= clear
    assert {Image.open(io.BytesIO(found[f"jpeg turned {n}"])).getexif()[0x0112] for n in range(2, 9)} == {
        *range(2, 9)
    }
    assert golden.pictures() is found


def _mode(data: bytes) -> str:
    return Image.open(io.BytesIO(data)).mode


def test_without_libtiff_its_ways_to_compress_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda _: False)
    found = golden.pictures.__wrapped__()
    assert not any(name.startswith("tiff {") for name in found)
    assert set(golden.pictures()) - set(found) == {f"{kind} {way}" for kind, way in golden.WAYS if kind == "tiff"}


def test_every_case_of_the_contract_every_picture_and_urls_of_every_kind_are_asked(world: World) -> None:
    asked = golden.requests(world)
    bodies = [base64.b64decode(one["body"]) for one in asked]
    assert set(golden.pictures().values()) <= set(bodies)
    urls = [json.loads(body)["url"] for body in bodies[len(cases()) + len(golden.pictures()) : -1]]
    assert {url.partition(":")[0] for url in urls} == {"http", "https", "s3", "gs", "az"}
    assert (asked[-1]["path"], asked[-1]["headers"]["accept"]) == ("/", "text/html"), "the page"
    assert len(asked) == len(cases()) + len(golden.pictures()) + len(urls) + 1
    assert all(set(one) == {"method", "path", "query", "headers", "body"} for one in asked)
    assert all("?" not in one["path"] and one["headers"]["x-request-id"] for one in asked)
    assert all(name == name.lower() for one in asked for name in one["headers"])


def test_further_models_are_asked_by_name_and_of_a_raw_one_nothing_is_chosen(world: World) -> None:
    usual, more = golden.requests(world), golden.requests(world, ["blue", "a b"])
    assert [(one["path"], one["query"]) for one in more if one not in usual] == [
        *(("/model", "model=blue"), ("/", "model=blue"), ("/model", "model=a%20b"), ("/", "model=a%20b"))
    ]
    queries = {one["query"] for one in golden.requests(world, raw=True)}
    assert "top_k=1000" in {one["query"] for one in usual}
    assert "top_k=1000" not in queries


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_gets_events_of_its_own(world: World, provider: str) -> None:
    found = golden.events(Target(provider), world)
    text = json.dumps(found)
    kinds = {
        "aws": ("aws:s3", "Object Created", "aws:sqs", "aws:sns", "aws:kinesis", "Scheduled Event"),
        "azure": (f"{world.origin}/images/a.jpg", "b.txt"),
        "gcp": ('"/event"', "messageId", "ce-type", '"/schedule"'),
        "container": ('"/events"', "messageId", "ce-type", '"/schedule"'),
    }
    assert all(kind in text for kind in kinds[provider])
    assert json.loads(text) == found, "they go to another process"


def test_answers_and_records_come_back_without_the_time(tmp_path: Path, world: World) -> None:
    first, second = (run(tmp_path, world, APP) for _ in range(2))
    asked = len(golden.requests(world)) + len(golden.events(CONTAINER, world))
    assert first.answers == second.answers
    assert first.answers[-1] == {"key": "1", "formats": "jpeg,png"}
    assert len(first.answers) == asked + 1
    assert len({answer["body"] for answer in first.answers if "body" in answer}) > len(golden.pictures())
    assert str(tmp_path / "app.py") in first.used
    assert first.peak > 1_000_000
    assert golden.differences(first, second) == []
    third = run(tmp_path, world, APP.replace('"X-A", "a"', '"X-A", "b"'))
    assert len(golden.differences(first, third)) == len(golden.requests(world))


def test_it_is_started_with_what_the_world_needs_and_nothing_of_this_machines(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONPATH", "AWS_PROFILE", "MLSERVERLESS_MODEL", "HOME"):
        monkeypatch.setenv(name, "of this machine")
    monkeypatch.setenv("LANG", "C.UTF-8")
    found = golden._environment(world, "/results", ("jpeg",))
    assert "of this machine" not in found.values()
    assert (found["LANG"], found["MLSERVERLESS_FORMATS"]) == ("C.UTF-8", "jpeg")
    assert found["MLSERVERLESS_SINK"] == "file:///results"
    assert world.environment().items() <= found.items()


def test_a_package_that_dies_is_told_in_its_own_words(tmp_path: Path, world: World) -> None:
    source = "import os, sys\nsys.stderr.write('no engine \\N{BULLET}')\nsys.stderr.flush()\nos._exit(7)\n"
    with pytest.raises(BuildError, match=r"The package for container:.* ends with code 7: no engine"):
        run(tmp_path, world, source)


def test_a_package_that_hangs_is_ended(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "SECONDS", 0.3)
    with pytest.raises(BuildError, match=r"The package for container:.* gave no answers within 0 s"):
        run(tmp_path, world, "import time\ntime.sleep(60)\n")


def answer(body: bytes, status: int = 200) -> dict[str, Any]:
    return {"status": status, "headers": [], "body": base64.b64encode(body).decode()}


def test_what_differs_is_told_in_words() -> None:
    wanted = Run((answer(b"cat"), {"reply": 1}, answer(b"x")), frozenset(), 1)
    assert golden.differences(wanted, wanted._replace(used=frozenset({"a"}), peak=2)) == []
    found = wanted._replace(answers=(answer(b"dog", 500), {"raised": "KeyError: 1"}, answer(b"x")))
    assert golden.differences(wanted, found) == [
        "answer 0: 500 b'dog', not 200 b'cat'",
        "answer 1: {'raised': 'KeyError: 1'}, not {'reply': 1}",
    ]
    assert golden.differences(wanted, wanted._replace(answers=wanted.answers[:2])) == [
        "2 answers and records, not 3"
    ]


def test_a_projects_own_list_of_hosts_does_not_hide_the_stores() -> None:
    with World() as world:
        assert golden._environment(world, "/results", ["jpeg"])["MLSERVERLESS_ALLOWED_HOSTS"] == ""
