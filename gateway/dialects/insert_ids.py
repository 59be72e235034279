"""The `insert_id` of an event that came without one."""

import os


def new_insert_id() -> str:
    """A random UUID of version 4. `str(uuid.uuid4())` is the same for twice the time."""
    drawn = os.urandom(16)
    digits, variant = drawn.hex(), "89ab"[drawn[8] >> 4 & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
