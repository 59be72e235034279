"""The load: `python -m benchmarks.load PORT EVENTS_A_REQUEST REQUESTS RATE KIND`.

The rate is in requests a second, 0 for as fast as they are answered; the kinds are those of
`benchmarks.requests`. Kept-alive connections, each with one request in flight. With a rate,
requests fall due at fixed times and latency counts from then: a slow server cannot slow the clock.
"""

import asyncio
import json
import sys
import time
from itertools import count

import uvloop

from benchmarks.requests import REQUESTS

CONNECTIONS = 64
BODIES_BYTES_MAX = 60_000_000


async def client(
    port: int, bodies: list[bytes], numbers: "count[int]", total: int, rate: float, began: float
) -> tuple[list[float], int]:
    """The latencies of what succeeded, and how many did not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies: list[float] = []
    failures = 0
    while (number := next(numbers)) < total:
        due = time.perf_counter()
        if rate:
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(bodies[number % len(bodies)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
        await reader.readexactly(int(length))
        if head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
            latencies.append(time.perf_counter() - due)
        else:
            failures += 1
    writer.close()
    return latencies, failures


async def run(port: int, per_request: int, total: int, rate: float, kind: str) -> dict[str, float]:
    make = REQUESTS[kind]
    size = len(make(range(per_request)))
    distinct = min(total, max(64, BODIES_BYTES_MAX // size))
    bodies = [make(range(n * per_request, (n + 1) * per_request)) for n in range(distinct)]
    numbers = count()
    began, cpu = time.perf_counter(), time.process_time()
    parts = await asyncio.gather(
        *(client(port, bodies, numbers, total, rate, began) for _ in range(CONNECTIONS))
    )
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    latencies = sorted(latency for part, _ in parts for latency in part)
    return {
        "events": len(latencies) * per_request,
        "failures": sum(failures for _, failures in parts),
        "seconds": seconds,
        "busy": cpu / seconds,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000 if latencies else 0.0,
    }


def main() -> None:
    port, per_request, total, rate, kind = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(run(int(port), int(per_request), int(total), float(rate), kind))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
