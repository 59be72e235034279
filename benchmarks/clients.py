"""The HTTP clients alone, one event a request: how `consumers.http.client` came to use which.

Over TLS, as in production, and without. HTTP/2 is not among them: the sink has none, and against
Go's server with TLS it did not help (pyreqwest 31 µs over HTTP/2, 32 over HTTP/1.1; our own 18).
"""

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trustme
import uvloop

from ampgate.lab.kafka.ports import free_ports
from benchmarks.events import event
from benchmarks.processes import cpu_seconds, peak_kilobytes, process
from benchmarks.row import Figures, Round, Row, Selection, in_turns, row
from consumers.delivery.destination import Request, Response
from consumers.http.client import Http, Sender
from consumers.http.http1 import Http1

REQUESTS = 8_000
AT_ONCE = 64
TIMEOUT_SECONDS = 30.0
CLIENTS: dict[str, Callable[[str], Sender]] = {
    "pyreqwest": lambda url: Http(url, timeout_seconds=TIMEOUT_SECONDS),
    "our own": lambda url: Http1(url, timeout_seconds=TIMEOUT_SECONDS),
}
REQUEST = Request("/v1/events", {"authorization": "Bearer bench"}, event(0)[1])


def measure(directory: Path, selection: Selection) -> list[Row]:
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(directory / "authority.pem"))
    server.private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(directory / "authority.pem")
    try:
        server_pem = str(directory / "server.pem")
        return [*compared(selection, "http"), *compared(selection, "https", server_pem)]
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


def compared(selection: Selection, scheme: str, *certificate: str) -> list[Row]:
    (port,) = free_ports(1)
    url = f"{scheme}://127.0.0.1:{port}"
    with process("benchmarks.sink", str(port), "202", *certificate, ready=url) as pid:
        subjects: dict[str, Round] = {
            f"HTTP client alone, {scheme}: {name}": partial(figures, client, url, pid)
            for name, client in CLIENTS.items()
        }
        found = in_turns(selection.of(subjects))
    return [row(name, found) for name in found]


def figures(client: Callable[[str], Sender], url: str, sink_pid: int) -> Figures:
    return uvloop.run(cost(client(url), sink_pid))


async def cost(client: Sender, sink_pid: int) -> Figures:
    async def send(count: int) -> None:
        for _ in range(count):
            reply = await client.send(REQUEST)
            assert isinstance(reply, Response), reply
            assert reply.status == 202, reply

    async with client:
        await asyncio.gather(*[send(3) for _ in range(AT_ONCE)])
        cpu, sink_cpu, began = time.process_time(), cpu_seconds(sink_pid), time.monotonic()
        await asyncio.gather(*[send(REQUESTS // AT_ONCE) for _ in range(AT_ONCE)])
        cpu, seconds = time.process_time() - cpu, time.monotonic() - began
    return Figures(
        microseconds_per_event=cpu / REQUESTS * 1e6,
        events=REQUESTS,
        seconds=seconds,
        rss_megabytes=peak_kilobytes(os.getpid()) / 1024,  # Its children are Kafka and the sink.
        other_end_busy=(cpu_seconds(sink_pid) - sink_cpu) / seconds,
    )
