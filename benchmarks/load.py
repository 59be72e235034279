"""The load where there is no Go: `python -m benchmarks.load PORT CONNECTIONS REQUESTS RATE WAY`.

As `reference/load.go`: requests come from stdin, each connection has one in flight. With a rate,
requests fall due at fixed times and latency counts from then: a slow server cannot slow the clock.
"""

import asyncio
import json
import ssl
import struct
import sys
import time
from dataclasses import dataclass, field
from itertools import count
from typing import BinaryIO

import uvloop

LENGTH = struct.Struct(">I")
SUCCESS = (b"HTTP/1.1 200", b"HTTP/1.1 202")


def requests_in(file: BinaryIO) -> list[bytes]:
    requests = []
    while head := file.read(LENGTH.size):
        requests.append(file.read(LENGTH.unpack(head)[0]))
    return requests


@dataclass
class Load:
    port: int
    requests: list[bytes]
    total: int
    rate: float
    way: str
    began: float = 0.0
    numbers: "count[int]" = field(default_factory=count)
    latencies: list[float] = field(default_factory=list)
    failures: int = 0

    async def client(self) -> None:
        connection = None
        while (number := next(self.numbers)) < self.total:
            due = time.perf_counter()
            if self.rate:
                due = self.began + number / self.rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if connection is None:
                connection = await self.connection()
            if await exchange(*connection, self.requests[number % len(self.requests)]):
                self.latencies.append(time.perf_counter() - due)
            else:
                self.failures += 1
            if self.way.startswith("fresh"):
                connection[1].close()
                connection = None
        if connection is not None:
            connection[1].close()

    async def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = None
        if self.way.endswith("tls"):  # Who answers is known: the server under measurement.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context)


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> bool:
    """Whether the answer was a success."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
    await reader.readexactly(int(length))
    return head.startswith(SUCCESS)


async def run(load: Load, connections: int) -> dict[str, float]:
    load.began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(load.client() for _ in range(connections)))
    seconds, cpu = time.perf_counter() - load.began, time.process_time() - cpu
    latencies = sorted(load.latencies)
    return {
        "requests": len(latencies),
        "failures": load.failures,
        "seconds": seconds,
        "busy": cpu / seconds,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000 if latencies else 0.0,
    }


def main() -> None:
    port, connections, total, rate, way = sys.argv[1:]
    load = Load(int(port), requests_in(sys.stdin.buffer), int(total), float(rate), way)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run(load, int(connections)))))


if __name__ == "__main__":
    main()
