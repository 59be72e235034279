"""Limits guesses of write keys by address; valid keys pass, as the address may be a NAT's."""

import mmap
import os
import struct
from hashlib import blake2b
from ipaddress import IPv6Address, IPv6Network, ip_address
from pathlib import Path

WRONG_KEYS_MAX = 100  # Wrong keys of one address,
WINDOW_SECONDS = 60.0  # within this time.
SLOTS = 16_384  # Of 16 bytes. Two addresses that fall into one are counted as one.
IPV6_BITS = 64  # One client has the whole prefix (RFC 6177).
_SLOT = struct.Struct("=dq")  # Begin of the window, and count.


class WrongKeys:
    """The number of wrong keys by address, of this process or of all that share the file.

    Without a lock: of two that come at the same moment to two processes, one may not count.
    """

    def __init__(self, shared: Path | None = None) -> None:
        size = SLOTS * _SLOT.size
        # Nobody can choose an address that shares another's slot.
        self._salt = os.urandom(16)
        if shared is None:
            self._slots = mmap.mmap(-1, size)
            return
        self._salt = shared.parent.name.encode()[-16:]  # The directory's name is random.
        file = os.open(shared, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(file, size)
            self._slots = mmap.mmap(file, size)
        finally:
            os.close(file)

    def retry_after(self, ip: str | None, now: float) -> float:
        """Count one; returns 0 if the address may go on, else the seconds it has to wait."""
        place = self._place(_of_one_client(ip or ""))
        began, count = _SLOT.unpack_from(self._slots, place)
        if not count or now - began >= WINDOW_SECONDS:
            began, count = now, 0
        _SLOT.pack_into(self._slots, place, began, count + 1)
        return 0.0 if count < WRONG_KEYS_MAX else float(began + WINDOW_SECONDS - now)

    def _place(self, address: str) -> int:
        digest = blake2b(address.encode(), digest_size=8, salt=self._salt).digest()
        return int.from_bytes(digest, "big") % SLOTS * _SLOT.size


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
