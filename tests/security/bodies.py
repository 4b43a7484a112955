"""Hostile request bodies, and spellings of addresses that nobody may read: each with the codes it may end with."""

import json
from urllib.parse import quote

from helpers.images import encode, gradient, png_header
from security.hostile_images import Sent, images

JSON, FORM = "application/json", "multipart/form-data; boundary=x"
DENIED = ("source-blocked", "source-not-found", "invalid-request")


def asked(name: str, body: bytes | object, *codes: str, texts: bool = True) -> Sent:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Sent(name, JSON, data, codes or ("invalid-request",), texts=texts)


def documents() -> list[Sent]:
    """Return what says it is JSON, or a query."""
    url = "http://127.0.0.1:1/x"
    return [
        asked("deep lists", b"[" * 90_000, texts=False),
        asked("deep objects", b'{"url":' * 12_000, texts=False),
        asked("a number of 5,000 digits", b'{"top_k":' + b"9" * 5000 + b"}", texts=False),
        asked("a number beyond all floats", {"url": url, "score_threshold": "1e999"}),
        asked("not a number", b'{"url":"http://127.0.0.1:1/x","score_threshold":NaN}'),
        asked("half a surrogate pair", b'{"url":"http://127.0.0.1:1/\\ud800"}'),
        asked("a NUL", {"url": "http://127.0.0.1:1/\0"}),
        asked("a line break", {"url": "http://127.0.0.1:1/ HTTP/1.1\r\nX-Injected: y"}),
        asked("bytes that are not UTF-8", b'{"url":"\xff\xfe"}', texts=False),
        asked("UTF-16", json.dumps({"url": "x"}).encode("utf-16")),
        asked("a batch of 1,000", {"urls": [url] * 1000}),
        asked("a batch of none", {"urls": []}),
        asked("a batch of batches", {"urls": [[url]]}, "ok"),
        asked("a url of 50,000 characters", {"url": "http://127.0.0.1:1/" + "a" * 50_000}),
        asked("a url that is an object", {"url": {"url": url}}),
        asked("an unknown key of 50,000 characters", {"url": url, "k" * 50_000: 1}),
        asked(
            "labels without end", {"url": url, "labels_allow": ["x" * 50_000]}, "invalid-request", "source-error"
        ),
        asked("labels that are numbers", {"url": url, "labels_allow": [1, 2]}),
        asked("over the limit", b'{"url":"' + b"a" * 100_000 + b'"}', "image-too-large"),
        asked("nothing", b" "),
        Sent("a query of 101 fields", "", b"", ("invalid-request",), "GET", "/predict?" + "&".join(["a=1"] * 101)),
        Sent("a query that is no query", "", b"", ("invalid-request",), "GET", "/predict?url"),
        Sent("a query of bytes", "", b"", ("invalid-request",), "GET", "/predict?url=%ff%fe"),
        Sent("a path of dots", "", b"", ("not-found",), "GET", "/%2e%2e/%2e%2e/etc/passwd"),
        Sent("a long path", "", b"", ("not-found",), "GET", "/" + "a" * 3000),
    ]


def form(name: str, body: bytes, *codes: str, kind: str = FORM) -> Sent:
    return Sent(name, kind, body, codes or ("invalid-request",))


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


def forms() -> list[Sent]:
    """Return what says it is a form."""
    png, end = encode(gradient(8, 6)), b"--x--\r\n"
    whole = part("file", png, '; filename="../../../etc/passwd"') + end
    return [
        form("form: a file's name that is a path", whole, "ok"),
        form("form: no boundary", whole, kind="multipart/form-data"),
        form("form: an empty boundary", whole, kind='multipart/form-data; boundary=""'),
        form("form: another boundary", whole, kind="multipart/form-data; boundary=y"),
        form("form: a boundary that is a pattern", whole, kind='multipart/form-data; boundary="(x+x+)+y"'),
        form("form: a boundary of 5,000 characters", whole, kind="multipart/form-data; boundary=" + "x" * 5000),
        form("form: 101 fields", part("a", b"1") * 101 + end),
        form("form: 3,000 boundaries", b"--x\r\n" * 3000 + end),
        form("form: a head of 9,000 bytes", part("file", png, "; x=" + "y" * 9000) + end),
        form("form: no end", whole[: -len(end)]),
        form("form: nothing in it", end),
        form("form: no file", part("top_k", b"1") + end),
        form("form: a file of no image", part("file", b"MZ" + bytes(500)) + end, "unsupported-media-type"),
        form("form: a bomb", part("file", png_header(60_000, 60_000)) + end, "image-too-large"),
        form("form: an unknown field", part("admin", b"1") + whole),
        form("form: a bad option", part("top_k", b"\xff\xfe") + whole),
        form("form: over the limit", part("file", bytes(100_000)) + end, "image-too-large"),
    ]


def bodies() -> list[Sent]:
    """Return every hostile body."""
    return [*images(), *documents(), *forms()]


def spellings(port: int) -> list[Sent]:
    """Return requests for addresses that a function must not read; where that is this machine, at ``port``."""
    hosts = ["127.0.0.1", "localhost", "LOCALHOST.", "127.1", "0", "0.0.0.0", "2130706433", "0x7f000001"]
    hosts += [
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "127.255.255.254",
    ]
    hosts += [
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "user@127.0.0.1",
        "nothing.invalid",
    ]
    urls = [f"http://{host}:{port}/" for host in hosts]
    urls += ["http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://[fd00:ec2::254]/"]
    urls += ["http://10.0.0.1/", "http://192.168.0.1/", "http://172.31.255.254/", "http://100.100.100.200/"]
    urls += ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http:127.0.0.1", "//127.0.0.1/"]
    urls += [f"http://127.0.0.1:{port}\\@example.com/", f"http://example.com@127.0.0.1:{port}/", "http://[::1/"]
    sent = [Sent(f"address: {url}", JSON, json.dumps({"url": url}).encode(), DENIED) for url in urls]
    encoded = "/predict?url=" + quote(f"http://127.0.0.1:{port}/", safe="")
    return [*sent, Sent("address: in a query", "", b"", DENIED, "GET", encoded)]
