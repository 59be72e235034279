"""A client that sends usual events to an edge: `python -m tests.fuzz.legitimate PORT PID SECONDS`.

Prints each status with its count, and the latencies' 99th percentile: as measured, and without the
time in which the edge or this client waited for a CPU. That is the load of the machine, which may
have other work; all that an edge does for others while a client waits counts.
"""

import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

BODY = b'{"event_type":"a","user_id":"user-1"}'
REQUEST = (
    b"POST /v1/events HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer secret\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
PAUSE_SECONDS = 0.005


def main() -> None:
    port, pid, seconds = (int(argument) for argument in sys.argv[1:])
    statuses: Counter[int] = Counter()
    measured, own = [], []
    for status, took, waited in requests(port, pid, time.perf_counter() + seconds):
        statuses[status] += 1
        measured.append(took)
        own.append(took - waited)
    figures = {"statuses": statuses, "measured": p99(measured), "without_waiting": p99(own)}
    print(json.dumps(figures))


def requests(port: int, pid: int, until: float) -> Iterator[tuple[int, float, float]]:
    """The status, the seconds that it took, and those of them in which one waited for a CPU."""
    while time.perf_counter() < until:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while time.perf_counter() < until:
                began, waited = time.perf_counter(), waiting(pid) + waiting(os.getpid())
                connection.sendall(REQUEST)
                found = answer(connection)
                if found is None:
                    break
                took = time.perf_counter() - began
                yield found, took, waiting(pid) + waiting(os.getpid()) - waited
                time.sleep(PAUSE_SECONDS)


def answer(connection: socket.socket) -> int | None:
    """Its status; None if the edge closed the connection, as it may while it is idle."""
    found = b""
    while b"\r\n\r\n" not in found:
        if not (piece := connection.recv(65_536)):
            assert not found
            return None
        found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += (piece := connection.recv(65_536))
        assert piece, "an answer ends before its end"
    return int(head.split()[1])


def waiting(pid: int) -> float:
    """For how long its main thread has waited for a CPU since it began (proc(5), schedstat)."""
    found = Path(f"/proc/{pid}/task/{pid}/schedstat")
    return int(found.read_text().split()[1]) / 1e9 if found.exists() else 0.0


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


if __name__ == "__main__":
    main()
