"""Any text as a URL: refused, or read as an independent reading of it reads it; and no secret is shown."""

import re
from ipaddress import ip_address
from string import ascii_letters
from urllib.parse import quote, urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from mlserverless.errors import InvalidRequest, SourceBlocked
from mlserverless.net import addresses
from mlserverless.net.url import PORTS, STORES, WEB, Url, allowed, parse, redact

# What a browser calls the authority (WHATWG URL, 4.4): up to the first of these; a backslash is a slash there.
AUTHORITY = re.compile(r"[A-Za-z]+://([^/?#\\]*)", re.DOTALL)
PRINTABLE = frozenset(map(chr, range(0x21, 0x7F)))
SECRET = "ZqSecretqZ"
SAFE = "%/:?#[]@!$&'()*+,;=-._~"

# Letters that other letters turn into (full width, ideographic), that end a host, or that some parsers drop.
ODD = (
    "\uff3c\uff0f\uff20\uff1f\uff03\uff1a\uff0e\u3002\u3000\u2100\u00ad\u200b\u00df\u0130\u212a\\@:/?#[]%.\t\n \0"
)
letters = st.one_of(st.sampled_from(ODD), st.sampled_from("aZ09-.é日"), st.characters())
hosts = st.one_of(
    st.text(letters, max_size=12),
    st.sampled_from(
        ["example.com", "EXAMPLE.com.", "127.1", "0x7f.1", "[::1]", "[::ffff:10.0.0.1]", "[fe80::1%25e]"]
    ),
)
urls = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(
        ["http://", "https://", "HTTP://", "http:", "http:/", "s3://", "ftp://", "", "//", "http:\\\\"]
    ),
    st.one_of(st.just(""), st.just(""), st.text(letters, max_size=5).map("{}@".format)),
    hosts,
    st.sampled_from(["", "", ":80", ":", ":0", ":65535", ":65536", ":8 0", ":８０"]),
    st.one_of(st.just(""), st.text(letters, max_size=12).map("/{}".format), st.text(letters, max_size=12)),
)
texts = st.one_of(urls, st.text(max_size=40))


def read(text: str) -> Url | None:
    try:
        return parse(text)
    except (InvalidRequest, SourceBlocked):
        return None


@given(texts)
@example("http://\uff3c.t/")
@example("http://a\uff3c@b.example/")
def test_what_is_read_is_plain(text: str) -> None:
    if found := read(text):
        assert found.scheme in WEB
        assert found.host
        assert PRINTABLE.issuperset(found.host)
        assert not set("@\\/?#[]") & set(found.host)
        assert found.host == found.host.lower()
        assert 0 < found.port < 65_536
        assert found.target.startswith("/")
        assert PRINTABLE.issuperset(found.target)
        assert "?" not in str(found)


@given(texts)
@example("http://\uff3c.t/")
@example("http://[::%.]")
def test_what_is_read_reads_the_same_again(text: str) -> None:
    if found := read(text):
        again = f"{found.scheme}://{found.netloc}{found.target}"
        assert parse(again) == found
        assert parse(str(found))[:3] == found[:3]


@given(texts)
def test_host_is_where_a_browser_finds_it(text: str) -> None:
    if (found := read(text)) is None:
        return
    match = AUTHORITY.match(text)
    assert match
    authority = match[1]
    assert "@" not in authority
    host = re.sub(r":[0-9]*\Z", "", authority, flags=re.ASCII)
    if host.isascii():
        assert found.host == host.strip("[]").lower().rstrip(".")
    else:
        assert found.host == host.encode("idna").decode().lower().rstrip(".")


@given(texts)
def test_urllib_reads_what_is_read_alike(text: str) -> None:
    if (found := read(text)) is None:
        return
    parts = urlsplit(text)
    assert (parts.scheme, parts.port or PORTS[found.scheme]) == (found.scheme, found.port)
    host = parts.hostname or ""
    assert (host if host.isascii() else host.encode("idna").decode()).lower().rstrip(".") == found.host
    assert "@" not in parts.netloc
    assert quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=SAFE) == found.target
    if ":" in found.host:
        assert ip_address(found.host).version == 6


plain = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.one_of(
        st.lists(st.text("aZ09-_é日", min_size=1, max_size=5), min_size=1, max_size=3).map(".".join),
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=6).map("[{}]".format),
    ),
    st.sampled_from(["", ":80", ":", ":0443", ":65535"]),
    st.lists(st.text("aZ09-._~%/;=é日<", max_size=6), max_size=3).map(
        lambda parts: "".join(f"/{p}" for p in parts)
    ),
    st.sampled_from(["", "?", "?a=b&c=%20", "#x", "?a#x", "?é/?"]),
)


@given(plain)
def test_every_plain_url_is_read(text: str) -> None:
    if (host := urlsplit(text).hostname) and not host.isascii():
        try:
            host.encode("idna")
        except UnicodeError:  # a label with two directions, for one
            return
    assert read(text), text


@given(texts, st.text(max_size=20))
def test_no_text_breaks_what_looks_at_hosts(text: str, pattern: str) -> None:
    allowed(text, (pattern, f"*.{pattern}"))
    redact(text)
    if found := read(text):
        addresses.is_public(found.host)
        assert allowed(found.host, ())
        assert allowed(found.host, (found.host,))
        assert allowed(f"www.{found.host}", (f"*.{found.host}",))
        assert not allowed(f"www{found.host}", (f"*.{found.host}", found.host))


# Without what would end the part of the URL that the secret is to stand in.
parts = st.text(st.characters(blacklist_characters="/?#@:\\"), max_size=8)
schemes = st.sampled_from([*WEB, *STORES, "ftp", "HTTPS"])


@given(texts, st.sampled_from("?#"), texts)
@example("h", "?", "://x")
def test_nothing_after_the_path_is_shown_whatever_stands_around_it(head: str, mark: str, tail: str) -> None:
    assert SECRET not in redact(f"{head}{mark}{SECRET}{tail}")


@given(schemes, parts, parts, st.text(ascii_letters, min_size=1, max_size=8), texts, st.booleans())
def test_no_user_name_or_password_is_shown(
    scheme: str, user: str, password: str, host: str, tail: str, first: bool
) -> None:
    user, password = (user + SECRET, password) if first else (user, SECRET + password)
    for text in (f"{scheme}://{user}:{password}@{host}", f"{scheme}://{user}:{password}@{host}/{tail}"):
        assert SECRET not in redact(text)


@given(schemes, st.text(ascii_letters, min_size=1, max_size=8), st.text(ascii_letters, max_size=8))
def test_what_is_no_secret_is_shown(scheme: str, host: str, path: str) -> None:
    assert redact(f"{scheme}://user:{SECRET}@{host}/{path}?{SECRET}#{SECRET}") == f"{scheme}://{host}/{path}"
