"""A disk that is full, for one process: no file of it grows any more. Only Linux can do that.

The system refuses each write that would make a file larger (EFBIG), also in files that are open. A
file system that is full says ENOSPC; Kafka treats both alike: it gives up its log directory, and
ends as it has no other.
"""

import sys

if sys.platform == "linux":
    import resource

IS_POSSIBLE = sys.platform == "linux"
LEFT_OUT = "left out: a broker whose disk is full (only Linux takes room from one process)"


def fill(pid: int) -> None:
    """For as long as the process lives."""
    if sys.platform == "linux":
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
