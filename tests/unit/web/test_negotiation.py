"""Accept headers, as RFC 9110 (12.5.1) reads them, and as clients write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.services import FakeService
from helpers.web import JSON, URL, ask, headers, problem
from mlserverless.errors import NotAcceptable
from mlserverless.web import negotiation

OFFERED = ("application/json", "application/problem+json", "text/html")
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        (CHROME, "text/html"),
        ("application/json", "application/json"),
        ("APPLICATION/JSON", "application/json"),
        ("application/problem+json", "application/problem+json"),
        ("application/*", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/html;q=0.5, application/json;q=0.9", "application/json"),
        ("application/json;q=0.5, text/html;q=0.9", "text/html"),
        ("text/html, application/json", "application/json"),  # equals: as if none were preferred
        ("*/*, application/json;q=0", "application/problem+json"),
        ("*/*;q=0.1, application/*;q=0", "text/html"),
        ("application/json;charset=utf-8", "application/json"),
        ("application/json ; q=0.3 , text/html ; q=0.2", "application/json"),
        ("application/json;q=0.001", "application/json"),
        ("text/html;q=1.000;level=1", "text/html"),
        ("image/*", ""),
        ("image/png, text/csv;q=0.9", ""),
        ("*/*;q=0", ""),
        ("application/json;q=0.0", ""),
        # What is none is passed over; a weight that is none is the default.
        ("", "application/json"),
        ("html", "application/json"),
        (",,;;", "application/json"),
        ("*/html", "application/json"),
        ("a b/c", "application/json"),
        ("text/html;q=high", "text/html"),
        ("text/html;q=-1", "text/html"),
        ("text/html;q=0.1234, application/json;q=0.9", "text/html"),
    ],
)
def test_what_is_liked_best(accept: str, wanted: str) -> None:
    assert negotiation.best(accept, OFFERED) == wanted


@given(st.text())
def test_any_text_is_read(accept: str) -> None:
    assert negotiation.best(accept, OFFERED) in (*OFFERED, "")


def test_what_is_not_had_is_told_with_what_is() -> None:
    with pytest.raises(NotAcceptable) as raised:
        negotiation.check("text/csv" + "x" * 500, OFFERED[:2])
    assert "the answer here is application/json or application/problem+json: name one of these" in str(
        raised.value
    )
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("path", ["/", "/predict", "/healthz", "/readyz", "/model", "/openapi.json"])
@pytest.mark.parametrize("accept", ["image/png", "text/html;q=0, text/plain", "application/xml, */*;q=0"])
def test_who_takes_no_json_is_refused_before_anything_is_done(path: str, accept: str) -> None:
    service = FakeService()
    response = ask(service, "GET", path, "", {"accept": accept})
    assert (response.status, problem(response)["code"]) == (406, "not-acceptable")
    if path in ("/", "/predict"):
        assert ask(service, "POST", path, "", {**JSON, "accept": accept}, URL).status == 406
    assert service.requests == []


@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/json", "application/*;q=0.1", "text/csv, */*;q=0.1"]
)
def test_who_takes_json_gets_it(accept: str | None) -> None:
    given = JSON if accept is None else {**JSON, "accept": accept}
    response = ask(FakeService(), "POST", "/", "", given, URL)
    assert (response.status, headers(response)["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        (CHROME, "", "text/html; charset=utf-8"),
        ("text/html", "", "text/html; charset=utf-8"),
        ("*/*", "", "application/problem+json"),
        ("application/json, text/html;q=0.9", "", "application/problem+json"),
        (CHROME, "url=https://x.example/1", "application/json"),
    ],
)
def test_a_page_is_shown_to_who_prefers_one(accept: str, query: str, kind: str) -> None:
    """To a browser, and not to curl, whose Accept is */*; a question in the query is answered."""
    response = ask(FakeService(), "GET", "/", query, {"accept": accept})
    assert headers(response)["Content-Type"] == kind
