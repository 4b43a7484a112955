"""Which addresses count as the public internet: the cases of `make security`, without what leads to them."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest

from mlserverless.net.addresses import DENIED_V4, DENIED_V6, is_public
from security.addresses import NO_ADDRESSES, PRIVATE_V4, PRIVATE_V6, PUBLIC_V4, PUBLIC_V6, SCOPED_V6


@pytest.mark.parametrize("text", PRIVATE_V4 + PRIVATE_V6 + SCOPED_V6)
def test_private_and_special(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("text", PUBLIC_V4 + PUBLIC_V6)
def test_public(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize("text", PRIVATE_V4 + PUBLIC_V4)
def test_v4_mapped_addresses_count_as_what_they_map(text: str) -> None:
    assert is_public(f"::ffff:{text}") is is_public(text)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_only_addresses_can_be_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("text", DENIED_V4 + DENIED_V6)
def test_denied_ranges_are_denied_to_both_ends(text: str) -> None:
    network = ip_network(text)
    assert not is_public(str(network[0]))
    assert not is_public(str(network[-1]))


@pytest.mark.parametrize("text", ["::ffff:8.8.8.8%eth0", "2606:4700::1111%", "8.8.8.8%1", "8.8.8.8\0", "\ud800"])
def test_zones_and_what_is_no_text_of_an_address_are_denied(text: str) -> None:
    assert not is_public(text)


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
