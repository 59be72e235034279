"""The worst that a request can cost, by encoding and by dialect: CPU and memory for its length.

Each request of `benchmarks.hostile` goes to a running edge once. The dearest of an encoding, or of
a dialect, is a row, beside what clients of that dialect send in as many bytes on the wire. Memory
is by how much the process grew at most: what it has kept from earlier requests does not show.
"""

import json
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.events import KEY, event
from benchmarks.hostile import VALUES, Request, dialects, request
from benchmarks.processes import OURS, cpu_seconds, peak_kilobytes
from benchmarks.requests import call
from benchmarks.servers import Server, Servers

TEXT_BYTES = 990_000  # What may come out of any body, however short, is 1 MB.
COMPARED = ("plain", "gzip", "deflate", "brotli", "zstd", "brotli in gzip")
LEGITIMATE_TIMES = 5
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Cost:
    microseconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Worst:
    """`ratio` is that of the CPU to a legitimate request of the same length."""

    name: str
    request: str
    wire_bytes: int
    microseconds_per_byte: float
    ratio: float
    memory_request: str
    memory_bytes_per_byte: float
    memory_megabytes: float


def measure(servers: Servers) -> list[Worst]:
    server = servers.of(OURS)
    cost_of(server, legitimate("Amplitude", "plain", 100_000))  # To warm up.
    found = [
        (encoding, dialect, sent, cost_of(server, sent))
        for encoding in COMPARED
        for dialect in dialects(KEY.encode())
        for sent in hostile(dialect, encoding)
    ]
    rows = []
    for place, names in ((0, COMPARED), (1, tuple(dialects(KEY.encode())))):
        for name in names:
            those = [one for one in found if one[place] == name]
            encoding, dialect, sent, cost = max(those, key=lambda one: one[3].microseconds)
            usually = usual(server, dialect, encoding, len(sent.wire))
            *_, large, held = max(those, key=lambda one: one[3].memory_bytes)
            rows.append(
                Worst(
                    name=name,
                    request=sent.name,
                    wire_bytes=len(sent.wire),
                    microseconds_per_byte=round(cost.microseconds / len(sent.wire), 2),
                    ratio=round(cost.microseconds / usually, 1),
                    memory_request=large.name,
                    memory_bytes_per_byte=round(held.memory_bytes / len(large.wire), 1),
                    memory_megabytes=round(held.memory_bytes / 1e6, 1),
                )
            )
    return rows


def hostile(dialect: str, encoding: str) -> Iterable[Request]:
    for name, make in VALUES.items():
        yield request(dialect, make(TEXT_BYTES), encoding, KEY.encode(), name)


def usual(server: Server, dialect: str, encoding: str, wire_bytes: int) -> float:
    """The median of a legitimate request's µs."""
    sent = legitimate(dialect, encoding, wire_bytes)
    return median(cost_of(server, sent).microseconds for _ in range(LEGITIMATE_TIMES))


def legitimate(dialect: str, encoding: str, wire_bytes: int) -> Request:
    """As much of what clients of the dialect send as makes at least so many bytes on the wire."""
    count = 1
    while len((sent := usual_request(dialect, encoding, count)).wire) < wire_bytes:
        count = max(count + 1, count * wire_bytes // len(sent.wire))
    return sent


def usual_request(dialect: str, encoding: str, count: int) -> Request:
    """So many records; where a request has but one, its properties that many times."""
    if dialect == "Amplitude, the key last":
        dialect = "Amplitude"
    if dialect == "Segment, shared":
        dialect = "Segment"
    made = MADE.get(dialect, properties)
    value = b"[" + b",".join(map(made, range(count))) + b"]"
    return request(dialect, value, encoding, KEY.encode(), "legitimate")


def given(number: int) -> bytes:
    return event(number)[1]


def update(number: int) -> bytes:
    user = json.loads(given(number))
    return json.dumps({name: user[name] for name in ("user_id", "user_properties")}).encode()


def properties(number: int) -> bytes:
    return json.dumps(json.loads(given(number))["event_properties"]).encode()


MADE: Mapping[str, Callable[[int], bytes]] = {
    **dict.fromkeys(("native", "Amplitude", "Amplitude's former form"), given),
    **dict.fromkeys(("native updates", "Amplitude's form", "Amplitude's form, plain"), update),
    "Segment": call,
}


def cost_of(server: Server, sent: Request) -> Cost:
    """Until the answer's last byte: by then Kafka has all."""
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # The peak begins anew (proc(5)).
    cpu, held = cpu_seconds(server.pid), peak_kilobytes(server.pid)
    send(server.port, sent.wire)
    spent = cpu_seconds(server.pid) - cpu
    return Cost(spent * 1e6, (peak_kilobytes(server.pid) - held) * 1024)


def send(port: int, wire: bytes) -> None:
    """Until the answer's last byte; the edge may answer before it has all."""
    address = ("127.0.0.1", port)
    with closing(socket.create_connection(address, timeout=TIMEOUT_SECONDS)) as connection:
        wire = wire.replace(b"host: edge\r\n", b"host: edge\r\nconnection: close\r\n", 1)
        with suppress(ConnectionError):
            connection.sendall(wire)
        with suppress(ConnectionError):
            while connection.recv(65_536):
                pass
