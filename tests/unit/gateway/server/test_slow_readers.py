"""A client that takes no answer, on a real socket with and without TLS: cut off, and forgotten."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvicorn

from gateway.server import flow
from gateway.server.connections import Connection
from gateway.server.crowd import Crowd
from gateway.server.tls import Certificate
from tests.eventually import eventually
from tests.unit.gateway.memory import KEY, Edge

RECORDS = 60_000  # Their receipts are more than the kernel's buffers take.
BODY = b"[%b]" % b",".join([b'{"event_type":"a","user_id":"user-1"}'] * RECORDS)
REQUEST = b"POST /v1/events?receipts=true HTTP/1.1\r\n%b\r\n\r\n%b" % (
    b"\r\n".join(
        b"%b: %b" % (name.encode(), value.encode())
        for name, value in {**KEY, "content-length": str(len(BODY))}.items()
    ),
    BODY,
)


@pytest.fixture(params=["plain", "tls"])
async def connected(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Edge, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client with a small window."""
    edge, trust = Edge(), None
    http: Any = partial(Connection, crowd=Crowd(edge.ingest.budget))
    settings = uvicorn.Config(
        edge.app, http=http, ws="none", proxy_headers=False, log_level="error", port=0
    )
    settings.load()
    if request.param == "tls":
        authority, trust = trustme.CA(), ssl.create_default_context()
        authority.configure_trust(trust)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            tmp_path / "edge.pem"
        )
        settings.ssl = Certificate(tmp_path / "edge.pem", None).context
    server, listener = uvicorn.Server(settings), socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listener]))
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.connect(listener.getsockname())
    name = None if trust is None else "127.0.0.1"
    reader, writer = await asyncio.open_connection(
        sock=narrow, ssl=trust, server_hostname=name, limit=1_024
    )
    try:
        yield edge, reader, writer
    finally:
        writer.transport.abort()
        server.should_exit = True
        await task


@pytest.mark.long
async def test_an_answer_that_nobody_takes_is_in_the_budget_until_its_client_is_cut_off(
    connected: tuple[Edge, asyncio.StreamReader, asyncio.StreamWriter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flow, "READER_SECONDS", 2.0)
    edge, reader, writer = connected
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n")
    assert edge.ingest.budget.used > RECORDS * 30

    await eventually(lambda: edge.ingest.budget.used == 0)
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while await reader.read(65_536):
            pass
    assert reader.at_eof() or reader.exception() is not None


async def test_an_answer_that_is_taken_comes_whole(
    connected: tuple[Edge, asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    edge, reader, writer = connected
    writer.write(REQUEST)
    length = 0
    while (line := await reader.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    assert len(json.loads(await reader.readexactly(length))["records"]) == RECORDS
    await eventually(lambda: edge.ingest.budget.used == 0)
