"""An endpoint's address: what is sent, kept open, refused, and never shown."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import origin, tls
from mlserverless.batch import address as module
from mlserverless.batch.address import Address
from mlserverless.errors import ConfigError

OK = origin.response(b"{}")
Make = Callable[..., Address]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make addresses that are closed in the end."""
    made = list[Address]()

    def of(url: str, headers: dict[str, str] | None = None, *more: Any, **named: Any) -> Address:
        made.append(Address(url, headers or {}, *more, **named))
        return made[-1]

    yield of
    for one in made:
        one.close()


def heads(served: origin.Origin) -> list[str]:
    return [head.split("\r\n")[0] for head in served.requests]


@pytest.mark.parametrize("path", ["", "/", "/predict", "/predict/"])
def test_the_function_is_asked_below_its_url_whether_it_names_predict_or_not(make: Make, path: str) -> None:
    with origin.serving({"/stage/predict": OK}) as served:
        answer = make(served.url("/stage" + path), {}).ask("POST", "/predict", {}, {}, b"{}")
    assert (answer.status, answer.body) == (200, b"{}")


def test_the_urls_query_and_the_requests_are_sent(make: Make) -> None:
    with origin.serving({"/predict?code=K%3D&top_k=2": OK}) as served:
        make(served.url("/?code=K%3D"), {}).ask("GET", "/predict", {"top_k": 2}, {})
        assert heads(served) == ["GET /predict?code=K%3D&top_k=2 HTTP/1.1"]


def test_the_headers_of_the_address_and_of_the_request_are_sent(make: Make) -> None:
    with origin.serving({"/predict": OK}) as served:
        make(served.url(), {"x-functions-key": "K"}).ask("GET", "/predict", {}, {"X-Request-Id": "batch-1"})
        assert "x-functions-key: K\r\n" in served.requests[0]
        assert "X-Request-Id: batch-1\r\n" in served.requests[0]


def test_an_answers_header_names_are_lower_case(make: Make) -> None:
    with origin.serving({"/predict": origin.response(b"", Retry_After="7")}) as served:
        assert make(served.url(), {}).ask("GET", "/predict", {}, {}).headers["retry-after"] == "7"


def test_a_connection_is_kept_and_used_again(make: Make) -> None:
    with origin.serving({"/predict": origin.keep(OK, OK, OK)}) as served:
        address = make(served.url(), {})
        for _ in range(3):
            address.ask("GET", "/predict", {}, {})
        assert served.accepted == 1
        address.close()


def test_a_connection_that_the_other_side_has_closed_is_not_used_again(make: Make) -> None:
    with origin.serving({"/predict": OK}) as served:  # says nothing of it, and closes after one answer
        address = make(served.url(), {})
        for _ in range(2):
            address.ask("GET", "/predict", {}, {})
            time.sleep(0.1)
        assert served.accepted == 2


def test_a_connection_that_is_to_be_closed_is_not_kept(make: Make) -> None:
    closing = origin.response(b"{}", Connection="close")
    with origin.serving({"/predict": closing}) as served:
        address = make(served.url(), {})
        address.ask("GET", "/predict", {}, {})
        address.ask("GET", "/predict", {}, {})
        assert served.accepted == 2


def test_an_answer_that_is_too_long_is_none(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 3)
    told = pytest.raises(http.client.HTTPException, match="more than 3 bytes")
    with origin.serving({"/predict": origin.response(b"1234")}) as served, told:
        make(served.url(), {}).ask("GET", "/predict", {}, {})


def test_a_silent_endpoint_is_given_up(make: Make) -> None:
    with origin.serving({"/predict": origin.silence}) as served, pytest.raises(TimeoutError):
        make(served.url(), {}, timeout_s=0.1).ask("GET", "/predict", {}, {})


def test_closing_ends_what_is_under_way(make: Make) -> None:
    with origin.serving({"/predict": origin.silence}) as served:
        address, failed = make(served.url(), {}), list[BaseException]()

        def ask() -> None:
            try:
                address.ask("GET", "/predict", {}, {})
            except (OSError, http.client.HTTPException) as error:
                failed.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        while not served.requests:
            time.sleep(0.01)
        address.close()
        thread.join(5)
        assert len(failed) == 1


def test_requests_are_signed_with_all_that_is_sent(make: Make) -> None:
    signed = []

    def sign(method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        signed.append((method, url, dict(headers), body))
        return {**headers, "Authorization": "signed"}

    with origin.serving({"/predict?top_k=1": OK}) as served:
        make(served.url(), {"A": "1"}, sign).ask("POST", "/predict", {"top_k": 1}, {"B": "2"}, b"x")
        assert signed == [("POST", served.url("/predict?top_k=1"), {"A": "1", "B": "2"}, b"x")]
        assert "Authorization: signed\r\n" in served.requests[0]


def test_https_is_asked_with_the_certificate_checked(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tls.certificate(tmp_path)
    with origin.serving({"/predict": OK}, tls.server(certificate)) as served:
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            make(served.url("/", "localhost"), {}).ask("GET", "/predict", {}, {})
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert make(served.url("/", "localhost"), {}).ask("GET", "/predict", {}, {}).status == 200
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):  # another name than it was made for
            make(served.url("/"), {}).ask("GET", "/predict", {}, {})


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "ftp://example.com",
        "https://",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://user:secret@example.com/",
        "https://example.com/#secret",
        "https://example.com/a b",
        "https://example.com/?a\n=secret",
        "https://exämple.com/",
    ],
)
def test_what_is_no_functions_url_is_refused_without_what_it_may_hide(url: str) -> None:
    with pytest.raises(ConfigError, match=r"no URL of a function: it begins with https://") as raised:
        Address(url, {})
    assert "secret" not in str(raised.value)


def test_an_address_is_shown_without_its_query() -> None:
    assert Address("https://example.com/x?code=secret", {}).shown == "https://example.com/x"
