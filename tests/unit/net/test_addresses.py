"""Which addresses count as the public internet: the cases of `make security`, without what leads to them."""

from ipaddress import IPv4Address, IPv6Address

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
