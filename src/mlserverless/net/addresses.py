"""Which IP addresses a caller's URL may lead to: the public internet and nothing else.

``ipaddress``'s own ``is_global`` lets through ranges that reach private networks by translation or that clouds use
for themselves, so those are listed; and a cold start need not import it. Sources: the IANA special-purpose address
registries for IPv4 and IPv6, RFC 6598 (carrier NAT), RFC 6052 and RFC 8215 (NAT64), RFC 3056 (6to4), RFC 5214
(ISATAP), and Azure's page on 168.63.129.16.
"""

from socket import AF_INET, AF_INET6, inet_pton

DENIED_V4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
)
ALLOWED_V6 = "2000::/3"
DENIED_V6 = (
    *("2001::/23", "2001:db8::/32", "2002::/16", "64:ff9b::/96", "64:ff9b:1::/48", "3fff::/20"),
    *("5f00::/16", "2620:4f:8000::/48"),
)
ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")  # bytes 8 to 12 of the address
MAPPED = bytes(10) + b"\xff\xff"  # before an IPv4 address that is written as an IPv6 one


def _range(family: int, text: str) -> tuple[int, int]:
    # How far an address of the range is shifted to the right, and what is then left of it.
    first, _, bits = text.partition("/")
    packed = inet_pton(family, first)
    shift = 8 * len(packed) - int(bits)
    return shift, int.from_bytes(packed, "big") >> shift


_DENIED_V4 = tuple(_range(AF_INET, text) for text in DENIED_V4)
_ALLOWED_V6 = _range(AF_INET6, ALLOWED_V6)
_DENIED_V6 = tuple(_range(AF_INET6, text) for text in DENIED_V6)


def is_public(text: str) -> bool:
    """Return whether the IP address ``text`` (not a name) may be connected to."""
    if "%" in text:  # a zone: some systems' inet_pton takes it, and no public address has one
        return False
    try:
        packed = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return False
    if len(packed) == 16 and not packed.startswith(MAPPED):
        return _is_public_v6(packed)
    address = int.from_bytes(packed[-4:], "big")
    return not any(address >> shift == prefix for shift, prefix in _DENIED_V4)


def _is_public_v6(packed: bytes) -> bool:
    address, (shift, prefix) = int.from_bytes(packed, "big"), _ALLOWED_V6
    if address >> shift != prefix or packed[8:12] in ISATAP:
        return False
    return not any(address >> shift == prefix for shift, prefix in _DENIED_V6)
