"""URLs: what ``parse`` lets through is plain, and what ``redact`` shows holds no secret."""

from urllib.parse import urlsplit

import atheris

from security.fuzzers.common import fuzz

with atheris.instrument_imports(include=["mlserverless"]):
    from mlserverless.errors import MlserverlessError
    from mlserverless.net import addresses, url

SECRET = "ZqSecretqZ"
PRINTABLE = frozenset(map(chr, range(0x21, 0x7F)))
CODECS = (
    ("utf-8", "replace"),
    ("utf-8", "surrogateescape"),
    ("latin-1", "strict"),
    ("utf-16-le", "surrogatepass"),
)
SEEDS = (
    "https://example.com/cat.jpg?sig=1#top",
    "http://user:pass@example.com:8080/a",
    "http://[::ffff:10.0.0.1]:80/",
    "http://[fe80::1%25eth0]/",
    "https://b\u00fccher.example/\u00e9?q=\u00e9",
    "HTTP://EXAMPLE.com.:0443//a/../b;c",
    "http://0x7f.1/",
    "http://2130706433/",
    "http:\\\\example.com\\@evil",
    "s3://bucket/key",
    "file:///etc/passwd",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://xn--bcher-kva.example./",
)


def test(data: bytes) -> None:
    """Try ``data`` as a text, in the encoding that its first byte picks."""
    codec, errors = CODECS[data[0] % len(CODECS)] if data else CODECS[0]
    try:
        text = data[1:].decode(codec, errors)
    except UnicodeDecodeError:
        return
    _redacts(text)
    try:
        found = url.parse(text)
    except MlserverlessError:
        return
    _is_plain(found)
    for again in (f"{found.scheme}://{found.netloc}{found.target}", str(found)):
        twice = url.parse(again)
        assert twice[:3] == found[:3], (text, found, twice)
        assert twice.target == found.target or "?" not in again, (text, found, twice)
    parts = urlsplit(text)  # an oracle: what is accepted, it reads alike
    assert (parts.scheme, parts.port or url.PORTS[found.scheme]) == (found.scheme, found.port), (text, found)
    assert not (parts.hostname or "").isascii() or (parts.hostname or "").rstrip(".") == found.host, (text, found)
    addresses.is_public(found.host)
    assert url.allowed(found.host, ()), found
    assert url.allowed(found.host, (found.host,)), found
    assert not url.allowed(found.host, ("*." + found.host,)), found


def _is_plain(found: url.Url) -> None:
    assert found.scheme in url.WEB, found
    assert found.host, found
    assert found.host == found.host.lower(), found
    assert PRINTABLE.issuperset(found.host), found
    assert not set("@/\\?#[]") & set(found.host), found
    assert 0 < found.port < 65_536, found
    assert found.target.startswith("/"), found
    assert PRINTABLE.issuperset(found.target), found
    assert "?" not in str(found), found


def _redacts(text: str) -> None:
    half = len(text) // 2
    head, tail = text[:half], text[half:]
    user = "".join(letter for letter in head if letter not in "/?#\\")
    if SECRET in text:
        return
    for hidden in (
        f"{head}?{SECRET}{tail}",
        f"{head}#{SECRET}{tail}",
        f"https://{user}{SECRET}@{tail}",
        f"https://{SECRET}{user}@{tail}",
    ):
        assert SECRET not in url.redact(hidden), (hidden, url.redact(hidden))


if __name__ == "__main__":
    fuzz(test, (b"\x00" + seed.encode() for seed in SEEDS))
