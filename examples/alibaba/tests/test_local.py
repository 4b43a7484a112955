"""``serve --on alibaba`` starts what answers over HTTP."""

import json
import urllib.request
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from mlserverless.testing.world import photo
from mlserverless.web.http import HttpRequest

from mlserverless_alibaba import handler, local

FUNCTION = Path(__file__).parents[1] / "function"


def ask(url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "image/jpeg"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def test_it_can_run_here() -> None:
    assert local.available() is None


@pytest.mark.parametrize("folder", [None, FUNCTION], ids=["own handler", "deploy folder"])
def test_it_answers(folder: Path | None) -> None:
    running = local.start(app_dir=folder, environment={"MLSERVERLESS_TOP_K": "2"})
    try:
        assert ask(f"{running.url}/healthz") == {"status": "ok"}
        assert len(ask(f"{running.url}/predict", photo())["predictions"]) == 2
        assert len(ask(f"{running.url}/predict?top_k=1", photo())["predictions"]) == 1
    finally:
        running.close()


def test_a_folder_without_an_entry_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with code 1"):
        local.start(app_dir=tmp_path)


def test_the_event_has_the_form_that_is_documented() -> None:
    request = HttpRequest("GET", "/café", "a=1&a=2&b=x%20y", {"accept": "*/*"})
    event = json.loads(local.to_event(request, "id"))
    documented = json.loads((FUNCTION.parent / "events" / "http_get.json").read_text(encoding="utf-8"))
    assert event.keys() == documented.keys()
    assert event["requestContext"].keys() == documented["requestContext"].keys()
    assert event["requestContext"]["http"].keys() == documented["requestContext"]["http"].keys()
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == ("/caf%C3%A9", "/café")
    assert event["queryParameters"] == {"a": "1,2", "b": "x y"}


def test_an_answer_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="statusCode"):
        local.to_response({"statusCode": 200})


def test_the_entry_names_the_handler() -> None:
    spec = spec_from_file_location("index", FUNCTION / "index.py")
    assert spec is not None
    assert spec.loader is not None
    index = module_from_spec(spec)
    spec.loader.exec_module(index)
    assert index.handler is handler
    index.initialize(None)
