"""The page: what it is served with, and what stands in it."""

import base64
import re
import subprocess
import sys
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from helpers.services import FakeService
from helpers.web import JSON, URL, ask, headers, problem
from mlserverless import errors
from mlserverless.bundle import slim, stage
from mlserverless.bundle.targets import PROVIDERS, Target
from mlserverless.config import Settings
from mlserverless.errors import MlserverlessError
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web import page
from mlserverless.web.http import HttpResponse

# What browsers send when an address is opened.
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
TEXT = Path(page.FILE).read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Keeps each element with its attributes, and the text of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.held: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(TEXT)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.elements and (held := self.held.get(self.elements[-1][0])) is not None and not held:
            held.append(data)


def get(service: Service | None = None, method: str = "GET", tag: str = "") -> HttpResponse:
    return ask(service or FakeService(), method, "/", "", {**BROWSER, **({"if-none-match": tag} if tag else {})})


def test_a_browser_is_answered_the_page_as_it_stands() -> None:
    response = get()
    assert (response.status, response.body) == (200, TEXT.encode())
    found = headers(response)
    assert found["Content-Type"] == "text/html; charset=utf-8"
    assert found["X-Request-Id"] == "platform-id"
    assert found["Referrer-Policy"] == "no-referrer"
    assert found["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in found["Permissions-Policy"]


@pytest.mark.parametrize("path", ["/", "//"])
def test_it_is_at_the_root_alone(path: str) -> None:
    assert ask(FakeService(), "GET", path, "", BROWSER).body == TEXT.encode()
    assert problem(ask(FakeService(), "GET", "/predict", "", BROWSER))["code"] == "invalid-request"


@pytest.mark.parametrize(
    ("method", "query", "given"),
    [
        ("GET", "url=https://x.example/1", BROWSER),
        ("POST", "", {**BROWSER, **JSON}),
        ("GET", "url=https://x.example/1", {"accept": "*/*"}),
    ],
)
def test_who_asks_for_a_prediction_is_answered_one(method: str, query: str, given: dict[str, str]) -> None:
    response = ask(FakeService(), method, "/", query, given, URL if method == "POST" else b"")
    assert headers(response)["Content-Type"] == "application/json"


def test_who_likes_json_better_is_told_what_is_missing() -> None:
    assert problem(ask(FakeService(), "GET", "/", "", {"accept": "application/json"}))["code"] == "invalid-request"


def test_it_is_kept_and_asked_for_again_by_its_tag() -> None:
    first = headers(get())
    assert first["Cache-Control"] == "no-cache"
    assert "Accept" in first["Vary"], "a cache keeps it apart from what others are answered"
    again = get(tag=first["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert headers(again)["ETag"] == first["ETag"]
    assert get(tag='"another"').status == 200


def test_head_is_answered_without_it() -> None:
    response = get(method="HEAD")
    assert (response.status, response.body) == (200, b"")
    assert headers(response)["ETag"] == headers(get())["ETag"]


def test_switched_off_the_path_answers_as_if_there_were_none() -> None:
    assert Settings.load({"MLSERVERLESS_PAGE": "false"}).page is False
    response = get(FakeService(page=False))
    assert problem(response)["code"] == "invalid-request"
    assert response.body == ask(FakeService(), "GET", "/", "", {"accept": "application/json"}).body


def test_while_a_setting_is_wrong_nobody_knows_whether_it_is_wanted() -> None:
    assert problem(get(Service(lambda: Predictor(top_k="many"))))["code"] == "misconfigured"


def test_its_policy_allows_its_own_script_and_style_and_nothing_else() -> None:
    policy = headers(get())["Content-Security-Policy"]
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    held = Reader().held
    for kind in ("script", "style"):
        assert len(held[kind]) == 1
        summed = base64.b64encode(sha256(held[kind][0].encode()).digest()).decode()
        assert allowed[f"{kind}-src"] == f"'sha256-{summed}'"
    for name in ("default-src", "base-uri", "form-action", "frame-ancestors", "trusted-types"):
        assert allowed[name] == "'none'"
    assert allowed["connect-src"] == "'self'"
    assert "unsafe" not in policy


def test_it_names_no_other_place_and_nothing_that_its_policy_forbids() -> None:
    for tag, attributes in Reader().elements:
        assert not [name for name in attributes if name.startswith("on")], f"{tag}: a handler"
        assert "style" not in attributes, f"{tag}: its policy forbids it"
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    assert not re.findall(r"\burl\(|@import|@font-face", TEXT)


def test_nothing_that_comes_from_elsewhere_is_read_as_html_or_script() -> None:
    script = Reader().held["script"][0]
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc"
    assert not re.findall(ways + r"|\beval\b|new Function|javascript:", script)


def test_it_is_small() -> None:
    assert len(TEXT.encode()) <= 60_000


def _all(kind: type[MlserverlessError]) -> set[str]:
    return {kind.code}.union(*(_all(one) for one in kind.__subclasses__() if one.__module__ == errors.__name__))


def test_every_problem_has_plain_words() -> None:
    table = TEXT.partition("const WORDS = {")[2].partition("\n};")[0]
    told = dict(re.findall(r'^  "([a-z-]+)": \["([^"]+)"', table, re.M))
    assert set(told) == _all(errors.MlserverlessError)
    assert len(set(told.values())) == len(told), "each is told from the others"


def test_every_stage_has_a_name() -> None:
    source = "".join((Path(page.FILE).parents[1] / name).read_text() for name in ("predictor.py", "inference.py"))
    timed = set(re.findall(r'(?:timings\.append\(|^        )\("(\w+)", ', source, re.M))
    table = TEXT.partition("const STAGES = {")[2].partition("};")[0]
    assert timed == set(re.findall(r"(\w+): \"", table))


def test_it_is_found_where_the_package_is_a_plain_folder(tmp_path: Path) -> None:
    stage.copy_ours(tmp_path)
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom mlserverless.web import page\n"
    script += "print(page.FILE, len(page.read()[0]))"
    told = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.split() == [f"{tmp_path}/mlserverless/web/page.html", str(len(TEXT.encode()))]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_it_stays_in_every_package(tmp_path: Path, provider: str) -> None:
    """Slimming knows no use of it: no golden prediction of old opened it."""
    stage.copy_ours(tmp_path)
    assert (tmp_path / "mlserverless/web/page.html").read_bytes() == TEXT.encode()
    left_out = {one.path for one in slim.plan(slim.gather(tmp_path, Target(provider), []))}
    assert "mlserverless/cli/__init__.py" in left_out
    assert not {name for name in left_out if name.startswith("mlserverless/web/")}


def test_a_package_without_it_answers_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "FILE", str(tmp_path / "page.html"))
    page.read.cache_clear()
    try:
        assert problem(get())["code"] == "internal"
    finally:
        page.read.cache_clear()
