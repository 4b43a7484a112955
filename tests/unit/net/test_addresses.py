"""Which addresses count as the public internet. Sources are named in the module under test."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from mlserverless.net.addresses import DENIED_V4, DENIED_V6, is_public

PRIVATE_V4 = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
PUBLIC_V4 = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "52.95.110.1",
]
PRIVATE_V6 = [
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "1fff::1",
    "2620:4f:8000::1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:7f00:1",
    "2606:4700::1111%eth0",
    "::ffff:0:8.8.8.8",
    "::8.8.8.8",
]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "3ffe::1"]


@pytest.mark.parametrize("text", PRIVATE_V4 + PRIVATE_V6)
def test_private_and_special(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("text", PUBLIC_V4 + PUBLIC_V6)
def test_public(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize("text", PRIVATE_V4 + PUBLIC_V4)
def test_v4_mapped_addresses_count_as_what_they_map(text: str) -> None:
    assert is_public(f"::ffff:{text}") is is_public(text)


@pytest.mark.parametrize(
    "text", ["", "h.example", "localhost", "127.1", "2130706433", "0x7f000001", "010.0.0.1", "1.1.1.1 "]
)
def test_only_addresses_can_be_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("network", DENIED_V4, ids=str)
def test_denied_v4_ranges_are_denied_to_both_ends(network: object) -> None:
    first, last = network[0], network[-1]  # type: ignore[index]
    assert not is_public(str(first))
    assert not is_public(str(last))


@pytest.mark.parametrize("network", DENIED_V6, ids=str)
def test_denied_v6_ranges_are_denied_to_both_ends(network: object) -> None:
    first, last = network[0], network[-1]  # type: ignore[index]
    assert not is_public(str(first))
    assert not is_public(str(last))


def test_whatever_python_calls_private_is_denied_too() -> None:
    for high in range(256):
        for low in (0, 1, 31, 63, 64, 128, 168, 254, 255):
            address = IPv4Address(bytes((high, low, 7, 9)))
            if not address.is_global or address.is_multicast:
                assert not is_public(str(address))
    for start in range(0, 0x10000, 0x101):
        address_6 = IPv6Address(start.to_bytes(2, "big") + bytes(13) + b"\1")
        if not address_6.is_global or address_6.is_multicast:
            assert not is_public(str(address_6))
