"""What all our pyreqwest clients have in common: how one is built, and how an answer is read."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.response import BaseResponse, Response

CONNECT_SECONDS = 10.0


def client_builder(*, timeout_seconds: float, proxy: str | None) -> ClientBuilder:
    """A pyreqwest client that reads no environment; it tries addresses in parallel itself."""
    builder = (
        ClientBuilder()
        .timeout(timedelta(seconds=timeout_seconds))
        .connect_timeout(timedelta(seconds=min(CONNECT_SECONDS, timeout_seconds)))
        .follow_redirects(False)  # A redirected POST loses its body; a GET shows others its key.
        .user_agent("ampgate")
    )
    return builder.no_proxy() if proxy is None else builder.proxy(ProxyBuilder.all(proxy))


class ClientOwner:
    """What has a client for as long as its `async with` lasts."""

    _client: Client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        await self._client.close()
        del self._client  # Only now its connections are closed.


async def read_body(response: Response, bytes_max: int) -> bytes:
    """The body, or of a longer one a little more than `bytes_max`.

    It is decompressed as it is read, so it takes no more memory than that.
    """
    body = bytearray()
    while len(body) <= bytes_max and (chunk := await response.body_reader.read_chunk()):
        body += chunk
    return bytes(body)


async def store_body(response: Response, into: Path, on_bytes: Callable[[int], None]) -> None:
    """Write the body to a file as it comes; `on_bytes` is told the size of each piece."""
    with into.open("wb") as file:
        while chunk := await response.body_reader.read_chunk():
            await asyncio.to_thread(file.write, chunk)
            on_bytes(len(chunk))


def header(response: BaseResponse, name: str) -> str | None:
    try:
        return response.get_header(name)
    except ValueError:  # It is not ASCII.
        return None
