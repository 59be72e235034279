"""glibc's heap: memory that was freed is kept for what comes next."""

import ctypes

# <malloc.h>
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 32 * 1024 * 1024  # Free at the end of the heap.
TAKEN_BYTES = 4 * 1024 * 1024  # From the system, more than is needed.
LARGE_BYTES = 16 * 1024 * 1024  # Such a block is the system's own, and given back when freed.


def keep_freed() -> None:
    """Keep what is freed, within limits, instead of giving it back to the system.

    By default glibc keeps little, and each page that is then taken again is a fault: in a delivery
    6 % of its time. Another libc, which has no `mallopt`, stays as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_TOP_PAD, TAKEN_BYTES)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
