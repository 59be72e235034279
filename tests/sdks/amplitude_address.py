"""Amplitude's own addresses, answered by a simulator: for clients that know no other address.

A proxy for `HTTPS_PROXY` takes every CONNECT, says by a certificate of its own that it is
Amplitude, and passes on what it reads.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trustme

HOSTS = ("amplitude.com", "analytics.eu.amplitude.com")


@asynccontextmanager
async def answering_for_amplitude(url: str, directory: Path) -> AsyncIterator[Mapping[str, str]]:
    """The environment of a client that asks Amplitude, and reaches the simulator."""
    authority = trustme.CA()
    trusted = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*HOSTS).configure_cert(context)
    host, port = url.removeprefix("http://").split(":")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await writer.start_tls(context)
            there, back = await asyncio.open_connection(host, int(port))
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield {
            **os.environ,
            "HTTPS_PROXY": proxy,
            "NO_PROXY": "",
            "REQUESTS_CA_BUNDLE": str(trusted),
        }


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    writer.close()
