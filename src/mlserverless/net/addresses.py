"""Which IP addresses a caller's URL may lead to: the public internet and nothing else.

``ipaddress``'s own ``is_global`` lets through ranges that reach private networks by translation or that clouds use
for themselves, so those are listed. Sources: the IANA special-purpose address registries for IPv4 and IPv6,
RFC 6598 (carrier NAT), RFC 6052 and RFC 8215 (NAT64), RFC 3056 (6to4), RFC 5214 (ISATAP), and Azure's page on
168.63.129.16.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

DENIED_V4 = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
            *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)
ALLOWED_V6 = IPv6Network("2000::/3")
DENIED_V6 = tuple(
    map(
        IPv6Network,
        (
            *("2001::/23", "2001:db8::/32", "2002::/16", "64:ff9b::/96", "64:ff9b:1::/48", "3fff::/20"),
            *("5f00::/16", "2620:4f:8000::/48"),
        ),
    )
)
ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")  # bytes 8 to 12 of the address


def is_public(text: str) -> bool:
    """Return whether the IP address ``text`` (not a name) may be connected to."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return _is_public_v6(address)
        address = address.ipv4_mapped
    return not any(address in net for net in DENIED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id or address not in ALLOWED_V6 or address.packed[8:12] in ISATAP:
        return False
    return not any(address in net for net in DENIED_V6)
