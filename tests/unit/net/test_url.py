"""URLs: what is refused before a connection is thought of, and what reaches the request line."""

from typing import Any

import pytest

from mlserverless.errors import InvalidRequest, SourceBlocked
from mlserverless.net.url import MAX_LENGTH, Url, allowed, parse, redact


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://h.example", ("http", "h.example", 80, "/")),
        ("HTTPS://H.Example./a?b=c#d", ("https", "h.example", 443, "/a?b=c")),
        ("http://h.example:8080/a/../b", ("http", "h.example", 8080, "/a/../b")),
        ("http://h.example?x", ("http", "h.example", 80, "/?x")),
        ("http://h.example/a%20b%2Fc", ("http", "h.example", 80, "/a%20b%2Fc")),
        ("http://h.example/é?ü", ("http", "h.example", 80, "/%C3%A9?%C3%BC")),
        ('http://h.example/<">', ("http", "h.example", 80, "/%3C%22%3E")),
        ("http://bücher.example/", ("http", "xn--bcher-kva.example", 80, "/")),
        ("http://[2606:4700::1111]:81/x", ("http", "2606:4700::1111", 81, "/x")),
        ("https://[::1]", ("https", "::1", 443, "/")),
        ("http://h.example/@user:x", ("http", "h.example", 80, "/@user:x")),
        ("http://h.example:", ("http", "h.example", 80, "/")),
        ("http://h.example:00081/", ("http", "h.example", 81, "/")),
        ("http://h.example/a?#b", ("http", "h.example", 80, "/a")),
        ("http://[2606:4700::AB]/", ("http", "2606:4700::ab", 80, "/")),
    ],
)
def test_url_is_taken_apart(text: str, url: tuple[Any, ...]) -> None:
    assert parse(text) == Url(*url)


@pytest.mark.parametrize(
    ("text", "netloc"),
    [
        ("http://h.example:80/", "h.example"),
        ("http://h.example:443/", "h.example:443"),
        ("https://h.example:443/", "h.example"),
        ("https://[2606:4700::1111]/", "[2606:4700::1111]"),
        ("http://[2606:4700::1111]:81/", "[2606:4700::1111]:81"),
    ],
)
def test_host_header_has_the_port_where_it_is_not_the_schemes(text: str, netloc: str) -> None:
    assert parse(text).netloc == netloc


def test_text_of_a_url_is_without_its_query() -> None:
    assert str(parse("https://h.example/a?X-Amz-Signature=secret#f")) == "https://h.example/a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a URL: it begins with http://, https://, s3://, gs:// or az://"),
        ("cat.jpg", "not a URL"),
        ("//h.example/a", "not a URL"),
        ("/etc/passwd", "not a URL"),
        ("http:h.example", "not a URL"),
        ("s3:bucket/key", "not a URL"),
        ("http://", "names no host, or the port 0"),
        ("http:///path", "names no host, or the port 0"),
        ("http://:80/", "names no host, or the port 0"),
        ("http://h.example:0/", "names no host, or the port 0"),
        ("http://./", "names no host: only dots"),
        ("http://.../", "names no host: only dots"),
        ("http://h.example:99999/", "a port is 0 to 65535"),
        ("http://h.example:http/", "a port is 0 to 65535"),
        ("http://[::1/", "IPv6 address stands in brackets"),
        ("http://h.example\uff03evil.example/", "host name is not a valid one"),
        ("http://::1/", "IPv6 address stands in brackets"),
        ("http://[::1]80/", "IPv6 address stands in brackets"),
        ("http://[::1%25lo]/", "IPv6 address stands in brackets"),
        ("http://[127.0.0.1]/", "IPv6 address stands in brackets"),
        ("http://[v1.127.0.0.1]/", "IPv6 address stands in brackets"),
        ("http://[1::2::3]/", "IPv6 address stands in brackets"),
        ("http://[]/", "names no host"),
        ("http://h.example:\uff18\uff10/", "a port is 0 to 65535"),
        ("http://h.example:000000/", "names no host, or the port 0"),
        ("http://h.example:" + "9" * 5000 + "/", "a port is 0 to 65535"),
        ("http:/h.example://x/", "not a URL"),
        ("h\u212atp://h.example/", "not a URL"),
        ("http://" + "ü" * 64 + ".example/", "host name is not a valid one"),
        ("http://h.example/\ud800", "half a surrogate pair"),
        ("http://h.example/?\udfff", "half a surrogate pair"),
    ],
)
def test_what_is_no_url_is_an_invalid_request(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("letter", [*map(chr, range(0x21)), "\x7f", "\\"], ids=repr)
@pytest.mark.parametrize("place", ["{}http://h.example/a", "http://h.exa{}mple/a", "http://h.example/a{}b"])
def test_what_two_parsers_read_differently_is_refused(letter: str, place: str) -> None:
    with pytest.raises(InvalidRequest, match="a space, a control character or a backslash in it; percent-encode"):
        parse(place.format(letter))


@pytest.mark.parametrize(
    "scheme", ["file", "ftp", "data", "gopher", "javascript", "jar", "unix", "s3", "gs", "az"]
)
def test_other_schemes_are_blocked_by_name(scheme: str) -> None:
    with pytest.raises(SourceBlocked) as caught:
        parse(f"{scheme}://h.example/a")
    assert f"scheme {scheme!r} are not read; accepted are http, https, s3, gs, az" in str(caught.value)


def test_data_url_is_blocked() -> None:
    with pytest.raises(SourceBlocked, match="scheme 'data'"):
        parse("data:image/png;base64,AAAA")


@pytest.mark.parametrize("user", ["user@", "user:pw@", ":pw@", "@", "a%40b@", "127.0.0.1:80@", "a\uff03@"])
def test_credentials_are_blocked_and_not_repeated(user: str) -> None:
    with pytest.raises(SourceBlocked, match=r"^The url carries a user name or password before its host"):
        parse(f"http://{user}h.example/")


@pytest.mark.parametrize("value", [None, 5, b"http://h.example/", ["http://h.example/"]])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"not a text of at most 8,192 characters"):
        parse(value)


def test_length_is_limited() -> None:
    start = "http://h.example/"
    assert len(parse(start + "a" * (MAX_LENGTH - len(start))).target) == MAX_LENGTH - len(start) + 1
    with pytest.raises(InvalidRequest, match="at most 8,192 characters"):
        parse(start + "a" * (MAX_LENGTH - len(start) + 1))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h.example/a?X-Amz-Signature=secret", "https://h.example/a"),
        ("https://user:secret@h.example/a#secret", "https://h.example/a"),
        ("https://a@b:secret@h.example", "https://h.example"),
        ("s3://bucket/key?versionId=1", "s3://bucket/key"),
        ("data:image/png;base64,secret", "data:…"),
        ("secret", "…"),
        ("", "…"),
        ("https://h.example/@a", "https://h.example/@a"),
        ("https://h.example?secret@x/y", "https://h.example"),
        ("https://h.example/" + "a" * 300, "https://h.example/" + "a" * 181 + "…"),
    ],
)
def test_redacted_url_is_fit_for_a_log(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert len(redact(text)) <= 200


@pytest.mark.parametrize(
    ("host", "patterns", "admitted"),
    [
        ("h.example", (), True),
        ("h.example", ("h.example",), True),
        ("h.example", ("H.Example.",), True),
        ("h.example", ("other.example",), False),
        ("a.h.example", ("h.example",), False),
        ("a.h.example", ("*.h.example",), True),
        ("a.b.h.example", ("*.h.example",), True),
        ("h.example", ("*.h.example",), False),
        ("evilh.example", ("*.h.example",), False),
        ("evil.example", ("*h.example",), False),
        ("h.example", ("x.example", "h.example"), True),
        ("h.example.evil.example", ("h.example",), False),
        ("anything", ("*",), False),
    ],
)
def test_allowed_hosts(host: str, patterns: tuple[str, ...], admitted: bool) -> None:
    assert allowed(host, patterns) is admitted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pa/secret@h.example/", "https://…"),
        ("https://user:secret", "https://…"),
        ("https://user:secret/@h.example/", "https://…"),
        ("https://h.example:/a", "https://…"),
        ("https://h.example:8080/a@b", "https://h.example:8080/a@b"),
        ("https://[::1]:80/a", "https://[::1]:80/a"),
        ("https://[::1]/a", "https://[::1]/a"),
        ("https://[::1]:secret/a", "https://…"),
        ("h?secret://x", "…"),
        ("h#secret://x", "…"),
    ],
)
def test_what_is_no_port_may_be_a_password(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize("host", ["\uff3c.t", "a\uff0fb", "ex!ample", "a'b", "a*b", "a%00b", "a$b", "x{y}"])
def test_host_of_other_letters_is_no_host(host: str) -> None:
    with pytest.raises((InvalidRequest, SourceBlocked)):
        parse(f"http://{host}/")
