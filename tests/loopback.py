"""Clients of what listens on this machine, and how they close.

The HTTP client has no proxy, and no certificates to be read first: httpx reads the system's, 20 ms
of the processor for each client, though no TLS is spoken.
"""

import asyncio
import ssl
from contextlib import suppress

import httpx

from tests.eventually import DEADLINE_SECONDS

TRUST_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def loopback_client(base_url: str = "", timeout: float = DEADLINE_SECONDS) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=base_url, timeout=timeout, trust_env=False, verify=TRUST_NOBODY
    )


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Return once the socket is closed, whatever the other end has not read or answered.

    Else it may outlive the event loop, and its warning would fail another test.
    """
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
