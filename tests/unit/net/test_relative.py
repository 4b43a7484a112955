"""Where redirects lead: RFC 3986's own examples, and what ``urllib.parse`` makes of the same."""

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlserverless.errors import InvalidRequest, SourceBlocked
from mlserverless.net.relative import join
from mlserverless.net.url import Url, parse

BASE = parse("http://a/b/c/d;p?q")
# RFC 3986, 5.4.1 and 5.4.2; fragments are not part of a request, and its "http:g" and "g:h" are no URLs of ours.
EXAMPLES = {
    "g": "/b/c/g",
    "./g": "/b/c/g",
    "g/": "/b/c/g/",
    "/g": "/g",
    "?y": "/b/c/d;p?y",
    "g?y": "/b/c/g?y",
    "#s": "/b/c/d;p?q",
    "g#s": "/b/c/g",
    "g?y#s": "/b/c/g?y",
    ";x": "/b/c/;x",
    "g;x": "/b/c/g;x",
    "": "/b/c/d;p?q",
    ".": "/b/c/",
    "./": "/b/c/",
    "..": "/b/",
    "../": "/b/",
    "../g": "/b/g",
    "../..": "/",
    "../../": "/",
    "../../g": "/g",
    "../../../g": "/g",
    "../../../../g": "/g",
    "/./g": "/g",
    "/../g": "/g",
    "g.": "/b/c/g.",
    ".g": "/b/c/.g",
    "g..": "/b/c/g..",
    "..g": "/b/c/..g",
    "./../g": "/b/g",
    "./g/.": "/b/c/g/",
    "g/./h": "/b/c/g/h",
    "g/../h": "/b/c/h",
    "g;x=1/./y": "/b/c/g;x=1/y",
    "g;x=1/../y": "/b/c/y",
    "g?y/./x": "/b/c/g?y/./x",
    "g?y/../x": "/b/c/g?y/../x",
    "g#s/../x": "/b/c/g",
}


@pytest.mark.parametrize(("reference", "target"), EXAMPLES.items())
def test_examples_of_the_rfc(reference: str, target: str) -> None:
    assert join(BASE, reference) == Url("http", "a", 80, target)


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("//g", Url("http", "g", 80, "/")),
        ("https://g:81/x", Url("https", "g", 81, "/x")),
        ("HTTP://G/", Url("http", "g", 80, "/")),
        ("//[::1]:81/", Url("http", "::1", 81, "/")),
        ("/é", Url("http", "a", 80, "/%C3%A9")),
    ],
)
def test_another_place(reference: str, url: Url) -> None:
    assert join(BASE, reference) == url


def test_port_and_brackets_of_the_base_stay() -> None:
    assert join(parse("https://[::1]:8443/a/b"), "c") == Url("https", "::1", 8443, "/a/c")


@pytest.mark.parametrize("reference", ["http:g", "http:/g", "//", "///g", "/a b", "/\\g", "/\ud800", "//h:99999/"])
def test_what_is_no_url_is_refused(reference: str) -> None:
    with pytest.raises(InvalidRequest):
        join(BASE, reference)


@pytest.mark.parametrize("reference", ["g:h", "javascript:alert(1)", "file:///etc/passwd", "//u:p@h/", "s3://b/k"])
def test_what_is_not_read_is_blocked(reference: str) -> None:
    with pytest.raises(SourceBlocked):
        join(BASE, reference)


segments = st.lists(st.sampled_from(["a", "b.", "..", ".", "c;d", "e%2F"]), min_size=1, max_size=6)
paths = st.builds("{}{}{}".format, st.sampled_from(["", "/"]), segments.map("/".join), st.sampled_from(["", "/"]))
references = st.builds("{}{}".format, paths, st.sampled_from(["", "?x=y", "?", "#f", "?/../z#f"]))


@given(st.sampled_from(["http://a/b/c/d?q", "http://a", "https://a:81/x/", "http://a/./b/../c"]), references)
def test_urllib_leads_to_the_same_place(base: str, reference: str) -> None:
    assert join(parse(base), reference) == parse(urljoin(base, reference))
