"""The `insert_id` of an event that came without one."""

import os


def new_insert_id() -> str:
    """A random UUID of version 4. `str(uuid.uuid4())` is the same for twice the time."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
