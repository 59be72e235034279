"""Who sent a request: the peer, or whom trusted proxies name; and what of it is kept. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address


def remote_ip(
    client: tuple[str, int] | None,
    headers: Iterable[tuple[bytes, bytes]],
    trusted: tuple[IPv4Network | IPv6Network, ...],
) -> str | None:
    """The peer, or what trusted proxies say, from the nearest one outwards."""
    if client is None:
        return None
    nearest = client[0]
    if not trusted:
        return nearest
    # Some proxies add to the header, some add a header: both mean one list.
    forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    hops = [hop.strip() for hop in forwarded.decode("latin-1").split(",")]
    while hops and _is_trusted(nearest, trusted):
        hop = hops.pop()
        if hop.count(":") == 1:
            hop = hop.partition(":")[0]  # Azure's gateways name the port, too.
        try:
            nearest = str(ip_address(hop))
        except ValueError:
            break
    return nearest


def _is_trusted(ip: str, trusted: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in trusted)


def truncated(ip: str) -> str | None:
    """An IPv4 address's /24, an IPv6 address's /48."""
    try:
        address = ip_address(ip.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    bits = 24 if address.version == 4 else 48
    shift = address.max_prefixlen - bits
    return str(type(address)(int(address) >> shift << shift))
