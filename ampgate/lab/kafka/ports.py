"""Which ports are free on this machine, and what the Kafka behind one says of its cluster."""

import socket
import struct
from collections import deque
from contextlib import ExitStack, suppress
from random import SystemRandom

from ampgate.lab.kafka.settings import HOST

# Below those that systems give to outgoing connections and to port 0 (Linux from 32768, macOS and
# Windows from 49152): a port stays free from when it is found until its process listens.
CHOSEN_FROM = range(15_000, 32_000)
LATELY_MAX = 200  # Ports that are not chosen again: their processes may not listen yet.
ANSWER_TIMEOUT_SECONDS = 2.0
METADATA_REQUEST = struct.pack(">hhih7si", 3, 1, 0, 7, b"ampgate", 0)  # Version 1; of no topic.

_lately: deque[int] = deque(maxlen=LATELY_MAX)


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
    """Ports that nobody uses; all held until the last is found, so no two are equal."""
    random, found = SystemRandom(), list[int]()
    with ExitStack() as held:
        while len(found) < count:
            port = random.choice(CHOSEN_FROM)
            if port in _lately:
                continue
            probe = held.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind((HOST, port))
                found.append(port)
    _lately.extend(found)
    return found


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
