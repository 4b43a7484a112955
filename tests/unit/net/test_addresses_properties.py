"""Which addresses are public, told a second time by plain arithmetic, for addresses anywhere and at every edge."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from mlserverless.net.addresses import ALLOWED_V6, DENIED_V4, DENIED_V6, is_public


def _v4(text: str) -> int:
    a, b, c, d = map(int, text.split("."))
    return a << 24 | b << 16 | c << 8 | d


# First and last, from the IANA IPv4 special-purpose registry; Azure's wire server; class D and E.
PRIVATE_V4 = [
    (_v4(first), _v4(last))
    for first, last in (
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("168.63.129.16", "168.63.129.16"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.31.196.0", "192.31.196.255"),
        ("192.52.193.0", "192.52.193.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("192.175.48.0", "192.175.48.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "255.255.255.255"),
    )
]
# The value of so many leading bits: inside 2000::/3 what is no one's on the public internet.
PRIVATE_V6 = [
    (0x2001_00, 23, 24),
    (0x20010DB8, 32, 32),
    (0x2002, 16, 16),
    (0x3FFF_0, 20, 20),
    (0x2620_004F_8000, 48, 48),
]
EDGES_V4 = sorted({x for pair in PRIVATE_V4 for end in pair for x in (end - 1, end, end + 1) if 0 <= x < 1 << 32})


def public_v4(number: int) -> bool:
    return not any(first <= number <= last for first, last in PRIVATE_V4)


def public_v6(number: int) -> bool:
    if number >> 32 == 0xFFFF:
        return public_v4(number & 0xFFFF_FFFF)
    if number >> 125 != 0b001 or number >> 32 & 0xFDFF_FFFF == 0x0000_5EFE:  # ISATAP, the u bit set or not
        return False
    return not any(number >> 128 - bits == prefix >> written - bits for prefix, bits, written in PRIVATE_V6)


def edges_v6() -> list[int]:
    nets = map(IPv6Network, (*DENIED_V6, ALLOWED_V6, "::ffff:0:0/96"))
    ends = [int(end) for net in nets for end in (net.network_address, net.broadcast_address)]
    return [end + step for end in ends for step in (-1, 0, 1) if 0 <= end + step < 1 << 128]


numbers_v4 = st.one_of(st.integers(0, (1 << 32) - 1), st.sampled_from(EDGES_V4))
numbers_v6 = st.one_of(
    st.integers(0, (1 << 128) - 1),
    st.integers(1 << 125, (1 << 126) - 1),
    st.sampled_from(edges_v6()),
    numbers_v4.map(lambda number: 0xFFFF << 32 | number),
    st.builds(
        lambda head, tail: head << 64 | 0x5EFE << 32 | tail, st.integers(1 << 61, (1 << 62) - 1), numbers_v4
    ),
)


def inside(text: str) -> st.SearchStrategy[int]:
    net = ip_network(text)
    return st.integers(int(net.network_address), int(net.broadcast_address))


denied_v4 = st.sampled_from(DENIED_V4).flatmap(inside)


@given(numbers_v4)
def test_v4_agrees_with_plain_arithmetic(number: int) -> None:
    assert is_public(str(IPv4Address(number))) is public_v4(number)


@given(numbers_v6)
def test_v6_agrees_with_plain_arithmetic(number: int) -> None:
    assert is_public(str(IPv6Address(number))) is public_v6(number)


@given(denied_v4)
def test_whatever_is_in_a_denied_net_is_denied_by_itself_and_embedded(number: int) -> None:
    high, low = number >> 16, number & 0xFFFF
    quad = str(IPv4Address(number))
    assert not is_public(quad)
    for embedded in (
        f"::ffff:{quad}",
        f"::ffff:{high:x}:{low:x}",
        f"::{quad}",  # v4-compatible, which is deprecated
        f"::ffff:0:{quad}",  # SIIT
        f"64:ff9b::{quad}",
        f"64:ff9b:1::{quad}",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:{high:x}:{low:x}::1",  # Teredo: the server
        f"2001::{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",  # and the client
        f"2606:4700::5efe:{quad}",
        f"2606:4700::200:5efe:{quad}",
        f"fe80::5efe:{quad}",
    ):
        assert not is_public(embedded), embedded


@given(st.sampled_from(DENIED_V6).flatmap(inside))
def test_whatever_is_in_a_denied_v6_net_is_denied(number: int) -> None:
    assert not is_public(str(IPv6Address(number)))


@given(numbers_v6)
def test_the_spelling_makes_no_difference(number: int) -> None:
    address = IPv6Address(number)
    assert is_public(address.exploded.upper()) is is_public(address.compressed)
    assert not is_public(f"{address.compressed}%eth0")


@given(st.one_of(st.text(max_size=40), st.text("0123456789abcdefxX.:%[]/ ", max_size=45)))
def test_any_text_is_answered_and_only_addresses_are_public(text: str) -> None:
    if is_public(text):
        assert ip_address(text).is_global


@given(numbers_v4, numbers_v6)
def test_what_is_public_is_global_to_ipaddress_too(four: int, six: int) -> None:
    for address in (IPv4Address(four), IPv6Address(six)):
        plain = getattr(address, "ipv4_mapped", None) or address
        assert plain.is_global or not is_public(str(address))
