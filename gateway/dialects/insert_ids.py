"""The `insert_id` of an event that came without one: a random UUID of version 4."""

import os
from struct import Struct
from typing import Final

_AT_ONCE: Final = 64  # Of 1 kB, drawn by one system call.
_VERSION: Final = bytes(byte & 0x0F | 0x40 for byte in range(256))
_VARIANT: Final = bytes(byte & 0x3F | 0x80 for byte in range(256))
_PARTS: Final = Struct("8s4s4s4s12s")
_made: Final[list[bytes]] = []  # None is used twice.
os.register_at_fork(after_in_child=_made.clear)


def new_insert_id() -> str:
    if not _made:
        _made.extend(new_insert_ids(_AT_ONCE))
    return _made.pop().decode()


def new_insert_ids(count: int) -> list[bytes]:
    """So many, in a fifth of the time of one by one."""
    drawn = bytearray(os.urandom(16 * count))
    drawn[6::16] = drawn[6::16].translate(_VERSION)
    drawn[8::16] = drawn[8::16].translate(_VARIANT)
    return list(map(b"-".join, _PARTS.iter_unpack(drawn.hex().encode())))
