"""Answers that are no images: which are told as what, in words of ours. (More of them in test_client.)"""

import pytest

from mlserverless.errors import SourceError, SourceNotFound
from mlserverless.net.answer import check
from mlserverless.net.head import Head


@pytest.mark.parametrize("encodings", [(), (b"identity",), (b"Identity", b"identity")])
def test_whole_answer_passes(encodings: tuple[bytes, ...]) -> None:
    check("h.example", Head(200, encodings=encodings), "image")


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "said"),
    [
        (404, SourceNotFound, False, "404 Not Found: there is no list at this address."),
        (410, SourceNotFound, False, "410 Gone: there is no list at this address."),
        (101, SourceError, False, "101 Switching Protocols."),
        (206, SourceError, False, "206 Partial Content."),
        (302, SourceError, False, "302 Found."),
        (403, SourceError, False, "403 Forbidden."),
        (429, SourceError, True, "429 Too Many Requests."),
        (499, SourceError, False, "499."),
        (503, SourceError, True, "503 Service Unavailable."),
        (999, SourceError, True, "999."),
    ],
)
def test_other_statuses(status: int, kind: type[SourceError], retryable: bool, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        check("h.example", Head(status), "list")
    assert type(caught.value) is kind
    assert caught.value.retryable is retryable
    assert str(caught.value) == f"h.example answered {said}"


def test_what_the_origin_says_of_when_to_ask_again_is_kept() -> None:
    with pytest.raises(SourceError) as caught:
        check("h.example", Head(503, after=b"120\xff"), "image")
    assert caught.value.retry_after == "120ÿ"
    assert SourceError("h.example cannot be read.").retry_after == ""


@pytest.mark.parametrize(
    ("encodings", "told"),
    [
        ((b"gzip",), "encoded as gzip"),
        ((b"identity", b"BR"), "encoded as br"),
        ((b"gzip, identity",), "in a content encoding"),
        ((b"",), "in a content encoding"),
        ((b"\xff",), "in a content encoding"),
        ((b"x" * 21,), "in a content encoding"),
    ],
)
def test_encoded_answer_is_refused_for_good(encodings: tuple[bytes, ...], told: str) -> None:
    with pytest.raises(SourceError) as caught:
        check("h.example", Head(200, encodings=encodings), "image")
    assert str(caught.value) == f"h.example sent the image {told}, unasked."
    assert not caught.value.retryable
