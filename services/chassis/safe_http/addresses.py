"""
Which addresses are public.

The tables follow IANA's special-purpose registries for IPv4 (RFC 6890 and successors) and IPv6, as of 2026.
They are written out, because what `ipaddress` calls global differs between patch releases of Python, and
because for IPv6 the safe rule is the opposite one: only 2000::/3 is assigned, so nothing else is public.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PRIVATE_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "a carrier's shared address"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)

_PRIVATE_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "an IPv4 address in disguise"),
        ("::/96", "an IPv4 address in disguise"),
        ("64:ff9b:1::/48", "a local translation address"),
        ("100::/64", "a black hole"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "Teredo, an IPv4 address in disguise"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "reserved for documentation"),
        ("2002::/16", "6to4, an IPv4 address in disguise"),
        ("2620:4f:8000::/48", "reserved"),
        ("3fff::/20", "reserved for documentation"),
    )
)

_ASSIGNED_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
# RFC 5214: an interface identifier of 0000:5efe or 0200:5efe and an IPv4 address.
_ISATAP = (0x00005EFE, 0x02005EFE)

# Where clouds hand out credentials: Amazon, Google, Azure, Oracle, Alibaba and their IPv6 forms.
_METADATA: tuple[Network, ...] = (
    IPv4Network("169.254.0.0/16"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.0.0.192/32"),
    IPv4Network("100.100.100.200/32"),
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:ec2::/32"),
    IPv6Network("fd20:ce::/32"),
)


def why_not_public(address: Address) -> str | None:
    """What keeps the address from being a public one; null when it is public."""
    if is_metadata(address):
        return "a metadata or link-local address"
    if isinstance(address, IPv4Address):
        return next((why for network, why in _PRIVATE_V4 if address in network), None)
    if address in _NAT64:
        # A network of IPv6 alone reaches the public IPv4 this way, and its own IPv4 hosts as well.
        return why_not_public(IPv4Address(int(address) & 0xFFFFFFFF))
    private = next((why for network, why in _PRIVATE_V6 if address in network), None)
    if private is None and address not in _ASSIGNED_V6:
        private = "not assigned"
    if private is None and (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        private = "ISATAP, an IPv4 address in disguise"
    return private


def is_metadata(address: Address) -> bool:
    """Whether credentials of the machine may be had there, in whatever form the address is written."""
    return any(form in network for form in _forms(address) for network in _METADATA)


def never_permitted(address: Address) -> bool:
    """Whether no setting may open the address: metadata, disguises, and what is no single host."""
    disguised = len(_forms(address)) > 1
    return is_metadata(address) or disguised or address.is_unspecified or address.is_multicast


def _forms(address: Address) -> tuple[Address, ...]:
    """The address and the IPv4 addresses it carries."""
    if isinstance(address, IPv4Address):
        return (address,)
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    carried: list[Address] = [address]
    if address.ipv4_mapped is not None:
        carried.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        carried.append(address.sixtofour)
    if address.teredo is not None:
        carried.extend(address.teredo)
    compatible = int(address) >> 32 == 0 and int(address) > 1
    if address in _NAT64 or compatible or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        carried.append(low)
    return tuple(carried)


def parse_address(text: str) -> Address | None:
    """The address that the text writes out in full; null for anything else, zones included."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None
