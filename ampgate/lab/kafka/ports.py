"""Which ports are free on this machine, and what the Kafka behind one says of its cluster."""

import fcntl
import os
import socket
import struct
import tempfile
from collections import deque
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from random import SystemRandom

from ampgate.lab.kafka.settings import HOST

# Below those that systems give to outgoing connections and to port 0 (Linux from 32768, macOS and
# Windows from 49152): a port stays free from when it is found until its process listens.
CHOSEN_FROM = range(15_000, 32_000)
# Ports that are not chosen again, here or in another process: theirs may not listen yet.
LATELY_MAX = 200
ANSWER_TIMEOUT_SECONDS = 2.0
METADATA_REQUEST = struct.pack(">hhih7si", 3, 1, 0, 7, b"ampgate", 0)  # Version 1; of no topic.

_lately: deque[int] = deque()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As Java does it: a connection that lingers in TIME_WAIT does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses, and that no other process was told of while this one lives."""
    random, found = SystemRandom(), list[int]()
    with ExitStack() as held:
        while len(found) < count:
            port = random.choice(CHOSEN_FROM)
            if port in _lately or not _taken(port):
                continue
            _lately.append(port)
            probe = held.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind((HOST, port))
                found.append(port)
    while len(_lately) > LATELY_MAX:
        fcntl.lockf(_locks(), fcntl.LOCK_UN, 1, _lately.popleft())
    return found


def _taken(port: int) -> bool:
    """False if another process has it: each has the locks of its ports until it ends."""
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _locks() -> int:
    """A file of which each byte stands for a port. Closed once, all locks would be gone."""
    file = Path(tempfile.gettempdir()) / f"ampgate-ports-{os.getuid()}"
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def named_by(port: int) -> set[int]:
    """The nodes that the broker at `port` tells a client to use; none while it does not answer."""
    try:
        with socket.create_connection((HOST, port), ANSWER_TIMEOUT_SECONDS) as broker:
            broker.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
            with broker.makefile("rb") as answer:
                (size,) = struct.unpack(">i", answer.read(4))
                return brokers_in(answer.read(size))
    except (OSError, struct.error):
        return set()


def brokers_in(metadata: bytes) -> set[int]:
    """The node ids in a Metadata response of version 1."""
    _correlation_id, count = struct.unpack_from(">ii", metadata)
    nodes, at = set(), 8
    for _ in range(count):
        node, host_bytes = struct.unpack_from(">ih", metadata, at)
        at += 6 + host_bytes + 4  # The port follows the host,
        (rack_bytes,) = struct.unpack_from(">h", metadata, at)
        at += 2 + max(0, rack_bytes)  # and then the rack, of length -1 when there is none.
        nodes.add(node)
    return nodes
