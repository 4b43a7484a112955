"""multipart/form-data, as browsers, curl and Python's clients send it."""

import random

import pytest

from mlserverless.errors import InvalidRequest
from mlserverless.types import Options, Request
from mlserverless.web.body import read
from mlserverless.web.http import HttpRequest

BOUNDARY = "------------------------d74496d66958873e"
FILE = 'form-data; name="file"; filename="cat.jpg"'


def form(*parts: tuple[str, bytes], boundary: str = BOUNDARY) -> bytes:
    """Return a form; a part is its Content-Disposition (and more headers), and its content."""
    lines = b"".join(
        f"--{boundary}\r\nContent-Disposition: {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    return lines + f"--{boundary}--\r\n".encode()


def ask(body: bytes, query: str = "", kind: str = f"multipart/form-data; boundary={BOUNDARY}") -> Request:
    found = read(
        HttpRequest("POST", "/", query, {"content-type": kind}, body), "id", max_bytes=10_000_000, max_batch=16
    )
    assert not found.batch
    ((name, item),) = found.items
    return found.decode(item)._replace(id=name)


def test_the_field_named_file_is_the_image() -> None:
    assert ask(form((f"{FILE}\r\nContent-Type: image/jpeg", b"pixels"))) == Request("id", None, b"pixels")


def test_other_fields_are_options_whatever_their_order() -> None:
    fields = ('form-data; name="top_k"', b"2"), (FILE, b"pixels"), ('form-data; name="labels_allow"', b"a, b")
    request = ask(form(*fields), "score_threshold=0.5")
    assert (request.image, request.options) == (b"pixels", Options(2, 0.5, ("a", "b")))


@pytest.mark.parametrize(
    "head", ["form-data; name=file", 'form-data; filename="f"; name="file"', 'FORM-DATA; NAME="file"']
)
def test_a_field_may_be_named_in_every_way_that_is_allowed(head: str) -> None:
    assert ask(form((head, b"pixels"))).image == b"pixels"


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=b", 'Multipart/Form-Data; charset=utf-8; boundary="b"']
)
def test_the_boundary_is_found(kind: str) -> None:
    assert ask(form((FILE, b"pixels"), boundary="b"), kind=kind).image == b"pixels"


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(256)) * 40,
        b"\r\n\r\n",
        b"\r\nx",
        b"\nx\n",
        b"x\r",
        b"x\n",
        b"x\r\n",
        b"\r",
        b"--" + BOUNDARY.encode()[:-1],
        b"x\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n",
        b"x\r\n--" + BOUNDARY.encode() + b"x\r\n",
        b"x--" + BOUNDARY.encode() + b"--\r\n",
        b"From me\r\n>From you\r\n",
        b"a: b\r\n\r\nc",
        "ünïcödé".encode(),
        b"\x0b\x0c\x1c\x1d\x1e\x85\xe2\x80\xa8",
    ],
    ids=repr,
)
def test_bytes_arrive_as_they_were_sent(content: bytes) -> None:
    assert ask(form((FILE, content))).image == content


def test_any_bytes_arrive_as_they_were_sent() -> None:
    random_bytes = random.Random(5)
    alphabet = b"\r\n-: \x00\xff\x85ab"
    for length in range(1, 300):
        content = bytes(random_bytes.choice(alphabet) for _ in range(length))
        assert ask(form((FILE, content))).image == content, content


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (form(('form-data; name="image"', b"pixels")), "The form has no field named file that holds an image."),
        (form((FILE, b"")), "The form has no field named file that holds an image."),
        (form(), "The form has no field named file"),
        (b"pixels", "The form has no field named file"),
        (form((FILE, b"p"), boundary="another"), "The form has no field named file"),
        (form((FILE, b"p"), ('form-data; name="size"', b"1")), "'size' is not an option; options are top_k"),
        (
            form((FILE, b"p"), ('form-data; name="top_k"', b"x")),
            "top_k is 'x', which is not accepted: give a whole",
        ),
        (form((FILE, b"p"), ('form-data; name="top_k"', b"\xff")), "top_k is '\ufffd', which is not accepted"),
        (form((FILE, b"p"), ("form-data", b"1")), "'None' is not an option"),
        (form((FILE, b"p"), ("attachment; name*=utf-8''caf%C3%A9", b"1")), "is not an option"),
    ],
)
def test_what_is_wrong_with_a_form_is_said(body: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ask(body)
    assert told in str(raised.value)


def test_a_form_that_was_cut_off_is_not_taken_for_whole() -> None:
    with pytest.raises(InvalidRequest, match="no field named file"):
        ask(form((FILE, b"pixels"))[:-10])


@pytest.mark.parametrize(
    ("count", "told"),
    [(100, "no field named file"), (101, "more than 100 fields"), (50_000, "more than 100 fields")],
)
def test_a_form_has_a_hundred_fields_at_most(count: int, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        ask(form(*[('form-data; name="labels_deny"', b"1")] * count))


def test_a_field_with_overlong_headers_is_refused() -> None:
    assert ask(form((f"{FILE}\r\nX-A: {'a' * 8000}", b"pixels"))).image == b"pixels"
    with pytest.raises(InvalidRequest, match="headers are too long"):
        ask(form((f"{FILE}\r\nX-A: {'a' * 9000}", b"pixels")))


@pytest.mark.parametrize(
    "body",
    [
        b"a preamble\r\n--b\r\nContent-Disposition: form-data; name=file\r\n\r\npixels\r\n--b--\r\nan epilogue",
        b"--b \t\r\ncontent-disposition:form-data;name=file\r\n\r\npixels\r\n--b--",
        b"--bx\r\n\r\n--b\r\nContent-Disposition: form-data; name=file\r\n\r\npixels\r\n--b--",
    ],
)
def test_a_form_is_read_as_rfc_2046_lets_it_be_written(body: bytes) -> None:
    assert ask(body, kind="multipart/form-data; boundary=b").image == b"pixels"


def test_nothing_after_the_forms_end_is_read() -> None:
    late = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nlate\r\n--b--\r\n'
    kind = "multipart/form-data; boundary=b"
    assert ask(form((FILE, b"pixels"), boundary="b") + late, kind=kind).image == b"pixels"


def test_an_option_in_the_form_and_in_the_query_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'top_k' stands in the query and in the body"):
        ask(form((FILE, b"p"), ('form-data; name="top_k"', b"1")), "top_k=1")


def test_a_type_without_a_boundary_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no field named file"):
        ask(form((FILE, b"p")), kind="multipart/form-data")


def test_lists_add_up_and_anything_else_is_given_once() -> None:
    """As in a query."""
    label = 'form-data; name="labels_deny"'
    request = ask(form((label, b"a,b"), (label, b"c"), (FILE, b"pixels")))
    assert request.options.labels_deny == ("a", "b", "c")
    for name in ("top_k", "file"):
        twice = [(f'form-data; name="{name}"', b"1")] * 2
        with pytest.raises(InvalidRequest, match=f"'{name}' stands more than once in the form; give it once"):
            ask(form(*twice, (FILE, b"pixels")))
