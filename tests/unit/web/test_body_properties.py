"""Bodies and queries: what a client puts in comes out, and any bytes at all are read or refused."""

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import assume, example, given
from hypothesis import strategies as st

from mlserverless.errors import MlserverlessError
from mlserverless.types import Options, Request
from mlserverless.web.body import Asked, read
from mlserverless.web.http import HttpRequest

MAX_BATCH = 16
JSON = {"content-type": "application/json"}

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
words = st.text(
    st.characters(codec="utf-8", blacklist_categories=("Cc", "Z"), blacklist_characters=","), min_size=1
)
options = st.fixed_dictionaries(
    {},
    optional={
        "top_k": st.integers(1, 1000),
        "score_threshold": st.floats(-1e9, 1e9),
        "labels_allow": st.lists(words, min_size=1, max_size=3),
        "labels_deny": st.lists(words, min_size=1, max_size=3),
    },
)
boundaries = st.from_regex(r"[0-9A-Za-z'()+_,./:=?-]{1,70}", fullmatch=True)
types = st.one_of(
    st.sampled_from(["application/json", "text/plain", "image/png", "multipart/form-data; boundary=x", ""]),
    st.text(max_size=40).map("multipart/form-data; {}".format),
    st.text(max_size=40),
)


def ask(method: str, query: str = "", kind: str = "application/json", body: bytes = b"") -> Asked:
    http = HttpRequest(method, "/", query, {"content-type": kind}, body)
    return read(http, "id", max_bytes=100_000, max_batch=MAX_BATCH)


def requests(asked: Asked) -> list[Request]:
    return [asked.decode(item) for _, item in asked.items]


def expected(given: dict[str, Any]) -> Options:
    return Options(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def as_texts(given: dict[str, Any]) -> dict[str, str]:
    return {name: ",".join(value) if isinstance(value, list) else repr(value) for name, value in given.items()}


@given(texts, options)
def test_json_comes_out_as_it_went_in(url: str, given: dict[str, Any]) -> None:
    asked = ask("POST", body=json.dumps({"url": url, **given}).encode())
    assert not asked.batch
    assert requests(asked) == [Request(url=url, options=expected(given))]


@given(st.lists(texts, min_size=1, max_size=MAX_BATCH), options)
def test_a_list_comes_out_in_its_order(urls: list[str], given: dict[str, Any]) -> None:
    asked = ask("POST", body=json.dumps({"urls": urls, **given}, ensure_ascii=False).encode())
    assert asked.batch
    assert requests(asked) == [Request(url=url, options=expected(given)) for url in urls]
    assert [name for name, _ in asked.items] == [f"id/{i}" for i in range(len(urls))]


@given(texts, options)
def test_a_query_comes_out_as_it_went_in(url: str, given: dict[str, Any]) -> None:
    asked = ask("GET", urlencode({"url": url, **as_texts(given)}))
    assert requests(asked) == [Request(url=url, options=expected(given))]


@given(boundaries, st.binary(min_size=1, max_size=200), options, st.booleans())
@example("x", b"\r\n-x\r\n--\r\n\r\n--X--\r\n", {}, True)
def test_a_form_comes_out_as_it_went_in(boundary: str, image: bytes, given: dict[str, Any], last: bool) -> None:
    # A client picks a boundary that stands nowhere in what it sends.
    assume(f"--{boundary}".encode() not in image)
    assume(not any(boundary in text for text in as_texts(given).values()))
    fields = [(name, value.encode()) for name, value in as_texts(given).items()]
    fields.insert(len(fields) if last else 0, ('file"; filename="a.jpg', image))
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in fields
    )
    asked = ask(
        "POST", kind=f'multipart/form-data; boundary="{boundary}"', body=body + f"--{boundary}--\r\n".encode()
    )
    assert requests(asked) == [Request(image=image, options=expected(given))]


@given(st.binary(min_size=1, max_size=200), options)
def test_an_image_is_the_body_whatever_its_bytes(image: bytes, given: dict[str, Any]) -> None:
    asked = ask("POST", urlencode(as_texts(given)), "image/png", image)
    assert requests(asked) == [Request(image=image, options=expected(given))]


@given(st.sampled_from(["GET", "POST"]), st.text(max_size=60), types, st.binary(max_size=200))
def test_anything_is_read_or_refused(method: str, query: str, kind: str, body: bytes) -> None:
    try:
        asked = ask(method, query, kind, body)
        requests(asked)
    except MlserverlessError:
        return
    assert 0 < len(asked.items) <= MAX_BATCH


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["url", "urls", "top_k", "labels_allow", "x"]), inner, max_size=4),
        ),
        max_leaves=12,
    ),
    st.sampled_from(["", "top_k=3", "url=a"]),
)
def test_any_json_is_read_or_refused(value: Any, query: str) -> None:
    try:
        asked = ask("POST", query, body=json.dumps(value).encode())
        requests(asked)
    except MlserverlessError:
        return
    assert 0 < len(asked.items) <= MAX_BATCH
