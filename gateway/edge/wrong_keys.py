"""Limits guesses of write keys by address; valid keys pass, as the address may be a NAT's."""

from ipaddress import IPv6Address, IPv6Network, ip_address

WRONG_KEYS_MAX = 100  # Wrong keys of one address,
WINDOW_SECONDS = 60.0  # within this time.
ADDRESSES_MAX = 10_000  # With more addresses, the oldest one is forgotten.
IPV6_BITS = 64  # One client has the whole prefix (RFC 6177).


class WrongKeys:
    """The number of wrong keys by address, in this process."""

    def __init__(self) -> None:
        self._windows: dict[
            str, tuple[float, int]
        ] = {}  # Begin of the window, and count; oldest first.

    def retry_after(self, ip: str | None, now: float) -> float:
        """Count one; returns 0 if the address may go on, else the seconds it has to wait."""
        address = _of_one_client(ip or "")
        began, count = self._windows.get(address, (now, 0))
        if now - began >= WINDOW_SECONDS:
            del self._windows[address]  # So that it becomes the newest.
            began, count = now, 0
        elif not count and len(self._windows) >= ADDRESSES_MAX:
            del self._windows[next(iter(self._windows))]
        self._windows[address] = began, count + 1
        return 0.0 if count < WRONG_KEYS_MAX else began + WINDOW_SECONDS - now


def _of_one_client(ip: str) -> str:
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    if not isinstance(address, IPv6Address):
        return ip
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, IPV6_BITS), strict=False))
