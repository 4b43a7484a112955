"""What a browser is told that asks for a page of another origin: nothing, where the setting names none."""

import pytest

from helpers.services import FakeService
from helpers.web import JSON, URL, ask, headers
from mlserverless.config import Settings
from mlserverless.errors import ConfigError
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.web.cors import REQUEST_HEADERS, SHOWN

OURS, OTHER = "https://app.example.com", "https://evil.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


def shared(found: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in found.items() if name.startswith("Access-Control") or name == "Vary"}


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
def test_by_default_nothing_is_shared(method: str) -> None:
    given = {**JSON, **PREFLIGHT, "origin": OURS}
    assert shared(headers(ask(FakeService(), method, "/predict", "", given, URL))) == {}


def test_an_answer_is_shared_with_the_origins_that_are_named() -> None:
    service = FakeService(cors_origins=[OURS, "http://localhost:3000"])
    response = ask(service, "POST", "/", "", {**JSON, "origin": OURS}, URL)
    assert response.status == 200
    assert shared(headers(response)) == {
        "Access-Control-Allow-Origin": OURS,
        "Access-Control-Expose-Headers": SHOWN,
        "Vary": "Origin",
    }
    problem = ask(service, "POST", "/", "", {**JSON, "origin": OURS}, b"{")
    assert headers(problem)["Access-Control-Allow-Origin"] == OURS, "a page may read why not, too"


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "", f"{OURS}.evil.example", "https://APP.example.com", f"{OURS}:444"]
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_with_another_origin_nothing_is_shared(origin: str, method: str) -> None:
    response = ask(FakeService(cors_origins=OURS), method, "/", "", {**JSON, **PREFLIGHT, "origin": origin}, URL)
    assert shared(headers(response)) == {"Vary": "Origin"}
    assert response.status in (200, 204), "it is the browser that keeps the page from it"


def test_a_preflight_tells_what_may_be_sent() -> None:
    given = {**PREFLIGHT, "origin": OURS}
    response = ask(FakeService(cors_origins=OURS), "OPTIONS", "/predict", "", given)
    assert (response.status, response.body) == (204, b"")
    assert shared(headers(response)) == {
        "Access-Control-Allow-Origin": OURS,
        "Access-Control-Allow-Methods": "GET, POST, HEAD, OPTIONS",
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": "7200",
        "Vary": "Origin",
    }


def test_to_all_origins_the_same_is_told() -> None:
    response = ask(FakeService(cors_origins="*"), "GET", "/healthz", "", {"origin": OTHER})
    assert shared(headers(response)) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": SHOWN,
    }


@pytest.mark.parametrize("origins", ["*", OURS])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_credentials_are_never_allowed(origins: str, method: str) -> None:
    given = {**JSON, **PREFLIGHT, "origin": OURS}
    found = headers(ask(FakeService(cors_origins=origins), method, "/", "", given, URL))
    assert "Access-Control-Allow-Credentials" not in found


def test_what_it_varies_with_is_told_once() -> None:
    predictor = Predictor("dogs-vs-cats", cors_origins=OURS)
    service = Service(lambda: predictor)
    for given in ({}, {"origin": OURS}):
        assert headers(ask(service, "GET", "/model", "", given))["Vary"] == "Origin"
    page = ask(service, "GET", "/", "", {"accept": "text/html", "origin": OURS})
    assert headers(page)["Vary"] == "Accept, Origin"


def test_with_wrong_settings_nothing_is_shared() -> None:
    response = ask(Service(lambda: Predictor(top_k="many")), "GET", "/healthz", "", {"origin": OURS})
    assert response.status == 200
    assert shared(headers(response)) == {}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://App.Example.com", ("https://app.example.com",)),
        ("https://a.example, http://localhost:3000", ("https://a.example", "http://localhost:3000")),
    ],
)
def test_origins_are_a_setting(given: str, read: tuple[str, ...]) -> None:
    assert Settings.load({"MLSERVERLESS_CORS_ORIGINS": given}).cors_origins == read


@pytest.mark.parametrize(
    "given",
    ["app.example.com", "https://a.example/", "https://*.example", "*, https://a.example", "null", "https://", 5],
)
def test_what_no_browser_sends_as_an_origin_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="give origins such as "):
        Settings.load({}, cors_origins=given)
