"""Addresses in every spelling, through the product's own ``download``: nothing private is even connected to.

Nothing leaves this machine: every connection is recorded and refused, and no name server is asked. Numbers are
read by the C library as ever, names are answered from a table.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from helpers.figures import Figure, Scale
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.download import download
from mlserverless.errors import InvalidRequest, MlserverlessError, SourceBlocked, SourceNotFound

# The edges of the special ranges, and the services that clouds have in them.
PRIVATE_V4 = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
    "127.1.2.3",
    *("168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1"),
    *("192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "100.100.100.200"),
)
PUBLIC_V4 = (
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.1", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255"),
    *("172.32.0.0", "192.0.1.1", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"),
    *("223.255.255.255", "52.95.110.1"),
)
PRIVATE_V6 = (
    *("::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b::169.254.169.254", "64:ff9b:1::a00:1"),  # NAT64
    *("2001::1", "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),  # Teredo
    *("2001:10::1", "2001:20::1", "2001:1ff::1"),  # ORCHID and its range
    *("2001:db8::1", "3fff::1", "5f00::1"),  # documentation, segment routing
    *("2002:7f00:1::", "2002:a00:1::", "2002:808:808::"),  # 6to4
    *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:7f00:1", "2606:4700::5efe:10.0.0.1"),  # ISATAP
    *("::ffff:0:8.8.8.8", "::ffff:0:127.0.0.1", "::8.8.8.8", "::127.0.0.1"),  # translated, compatible
    *("4000::1", "1fff::1", "2620:4f:8000::1"),
)
SCOPED_V6 = ("fe80::1%eth0", "fe80::1%lo", "::1%lo", "2606:4700::1111%eth0")
PUBLIC_V6 = (
    *("2606:4700:4700::1111", "2a00:1450::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "3ffe::1"),
    *("2600:1f00::1", "2400:cb00::1"),
)
NO_ADDRESSES = ("", "h.example", "localhost", "127.1", "2130706433", "0x7f000001", "010.0.0.1", "1.1.1.1 ")
SPELLINGS = {
    "127.0.0.1": "2130706433 0x7f000001 0X7F000001 017700000001 0177.0.0.1 0x7f.0.0.1 0x7f.0x0.0x0.0x1 127.1 "
    "127.0.1 0177.1 0x7f.1 127.0x0.1 0000177.00.00.01 127.0.0.1. 127.000.000.001 00000000000000000177.0.0.1 "
    "0x00000000007f.0.0.1 %31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.1%00.example 127.0.0.1%09 127.0.0.1\u00ad "
    "１２７.０.０.１ ①②⑦.⓪.⓪.① 𝟏𝟐𝟕.𝟎.𝟎.𝟏 127．0．0．1 127。0。0。1 ２１３０７０６４３３",
    "169.254.169.254": "2852039166 0xa9fea9fe 025177524776 0251.0376.0251.0376 0xa9.0xfe.0xa9.0xfe 169.254.43518 "
    "169.16689662 0xa9.254.0251.254 169.254.169.254. １６９.２５４.１６９.２５４ 425.510.425.510 7147006462",
    "10.0.0.1": "167772161 0xa000001 012.0.0.1 10.1 0xa.1",
    "168.63.129.16": "2822734096 0xa83f8110 168.63.33040",
    "::1": "[0:0:0:0:0:0:0:1] [::0001] [0000:0000:0000:0000:0000:0000:0000:0001] [::0.0.0.1] [::1%25lo] ::1",
}
# Each names a private address to one parser or another.
TRICKS = (
    *("http://8.8.8.8@127.0.0.1/", "http://images.example:80@127.0.0.1/", "http://127.0.0.1:80@8.8.8.8/"),
    *("http://8.8.8.8%40127.0.0.1/", "http://a@8.8.8.8@127.0.0.1/", "http://8.8.8.8\uff20127.0.0.1/"),
    *("http://127.0.0.1#@8.8.8.8/", "http://127.0.0.1?@8.8.8.8/", "http://127.0.0.1/@8.8.8.8/"),
    *("http://8.8.8.8\\@127.0.0.1/", "http://127.0.0.1\\@8.8.8.8/", "http:\\\\127.0.0.1/"),
    "http://127.0.0.1\\.example/",
    *("http://127.0.0.1\t/", "http://127.0.\n0.1/", "http://127.0.0.1\r\nHost: x/"),
    *("http://127.0.0.1 /", " http://127.0.0.1/"),
    *("http://127.0.0.1\0.example/", "http://127.0.0.1:80:80/", "http://[::1]:80@8.8.8.8/"),
    "http://[::1]8.8.8.8/",
    *("http:127.0.0.1/", "http:/127.0.0.1/", "http:///127.0.0.1/", "//127.0.0.1/"),
    *("http://127.0.0.1:0/", "http://[127.0.0.1]/"),
    *("HTTP://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/"),
    "http://127.0.0.1:65536/",
    *("http://127.0.0.1:6379/", "http://0:22/", "http://0x0/", "http://[v1.127.0.0.1]/", "http://.127.0.0.1/"),
    *("file://127.0.0.1/etc/passwd", "gopher://127.0.0.1:25/_HELO", "ftp://127.0.0.1/"),
    "dict://127.0.0.1:11211/stats",
)
# What names are answered with.
PRIVATE_NAMES = {
    "localhost": ["::1", "127.0.0.1"],
    "localhost.localdomain": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data.ec2.internal": ["169.254.169.254"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
    "first.example": ["8.8.8.8", "10.0.0.1"],
    "last.example": ["10.0.0.1", "8.8.8.8"],
    "among.example": ["8.8.8.8", "1.1.1.1", "169.254.169.254", "2606:4700:4700::1111"],
    "six.example": ["2606:4700:4700::1111", "::1"],
    "four-and-six.example": ["8.8.8.8", "fd00:ec2::254"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "mapped-among.example": ["8.8.8.8", "::ffff:169.254.169.254"],
    "nat64.example": ["64:ff9b::a9fe:a9fe"],
    "scoped.example": ["fe80::1%lo"],
    "wireserver.example": ["168.63.129.16"],
    "every.example": ["0.0.0.0"],
    "xn--bcher-kva.example": ["10.0.0.1"],
}
SPELLED_NAMES = (
    "LOCALHOST",
    "localhost.",
    "loc\u00adalhost",
    "ⓛocalhost",
    "ｌｏｃａｌｈｏｓｔ",
    "bücher.example",
    "unknown.example",
)
PUBLIC_NAMES = {
    "images.example": ["93.184.215.14"],
    "both.example": ["2606:4700:4700::1111", "1.1.1.1"],
    "three.example": ["8.8.8.8", "1.1.1.1", "9.9.9.9"],
    "xn--mnchen-3ya.example": ["8.8.4.4"],
    "mapped-public.example": ["::ffff:8.8.8.8"],
}


class Allowed(NamedTuple):
    """A URL, and the addresses that are tried for it, in order."""

    url: str
    tried: list[tuple[str, int]]


def blocked() -> list[str]:
    """Return the URLs for which nothing may be connected to."""
    hosts = [*PRIVATE_V4, *(f"[{text}]" for text in PRIVATE_V6 + SCOPED_V6)]
    hosts += [f"[::ffff:{text}]" for text in PRIVATE_V4] + [*PRIVATE_NAMES, *SPELLED_NAMES]
    hosts += [text for spelled in SPELLINGS.values() for text in spelled.split(" ")]
    return [*(f"http://{host}/a.png" for host in hosts), *TRICKS]


def allowed() -> list[Allowed]:
    """Return the URLs that are public, with what each leads to."""
    found = [Allowed(f"http://{text}/a.png", [(text, 80)]) for text in PUBLIC_V4]
    found += [Allowed(f"http://[{text}]/a.png", [(text, 80)]) for text in PUBLIC_V6]
    found += [Allowed(f"http://{name}/", [(text, 80) for text in to]) for name, to in PUBLIC_NAMES.items()]
    eight = "8.8.8.8"
    spelled = ("134744072", "0x08080808", "8.8.8.8.", "８.８.８.８", "010.8.8.8")
    found += [Allowed(f"http://{text}/", [(eight, 80)]) for text in spelled]
    return [
        *found,
        Allowed("http://[::ffff:8.8.8.8]/", [("::ffff:8.8.8.8", 80)]),
        Allowed("https://8.8.8.8/", [(eight, 443)]),
        Allowed("https://8.8.8.8:8443/", [(eight, 8443)]),
        Allowed("http://8.8.8.8#@127.0.0.1/", [(eight, 80)]),  # a fragment, a query and a path are no host
        Allowed("http://8.8.8.8?@127.0.0.1/", [(eight, 80)]),
        Allowed("http://8.8.8.8/@127.0.0.1/", [(eight, 80)]),
        Allowed("http://münchen.example:81/", [("8.8.4.4", 81)]),
    ]


@contextmanager
def nothing_leaves() -> Iterator[list[tuple[str, int]]]:
    """Refuse every connection and ask no name server; yield the addresses that were tried."""
    tried: list[tuple[str, int]] = []
    resolve, names = socket.getaddrinfo, {**PRIVATE_NAMES, **PUBLIC_NAMES}

    def connect(_: socket.socket, address: Any) -> None:
        tried.append(tuple(address[:2]))
        raise ConnectionRefusedError(111, "Connection refused")

    def getaddrinfo(host: bytes, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        # Without AI_NUMERICHOST the C library would ask a name server for what it cannot read as a number.
        name = host.decode()
        answers = names.get(name, [name])
        return [
            entry
            for text in answers
            for entry in resolve(text, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        ]

    with patch.object(socket.socket, "connect", connect), patch.object(socket, "getaddrinfo", getaddrinfo):
        yield tried


def fetch(url: str) -> MlserverlessError | None:
    """Return the error that ``url`` ends with."""
    try:
        download(url, Settings(), Deadline(10))
    except MlserverlessError as error:
        return error
    return None


def measure(scale: Scale) -> list[Figure]:
    """Ask for every URL; there are few enough for the short form."""
    refusals = (SourceBlocked, InvalidRequest, SourceNotFound)
    let_through, kept_out = {}, {}
    with nothing_leaves() as tried:
        for url in blocked():
            error = fetch(url)
            if tried or not isinstance(error, refusals):
                let_through[url] = f"{error!r}, tried {tried}"
            tried.clear()
        for url, to in allowed():
            error = fetch(url)
            if tried != to:
                kept_out[url] = f"{error!r}, tried {tried}"
            tried.clear()
    return [
        _figure("hostile address spellings and ranges blocked", 60, len(blocked()), let_through),
        _figure("public addresses allowed", 20, len(allowed()), kept_out),
    ]


def _figure(name: str, least: int, count: int, faults: dict[str, str]) -> Figure:
    said = f"{count - len(faults)} of {count}"
    return Figure(name, f"≥ {least} of {least}", said, not faults and count >= least, {"faults": faults})
