"""How requests go out: a request in, a reply back as a value.

Two clients, chosen by measurement (`benchmarks/clients.py`): pyreqwest for few large requests; for
one event a request our own `Http1`, at two thirds of the CPU time. That one knows no proxies.
"""

from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from consumers.delivery.destination import Reply, Request, Response, Unreachable
from consumers.http1 import Http1
from consumers.retry_after import seconds_until
from schemas.config import AampeDestination, AmplitudeDestination

CONNECT_SECONDS = 10.0
REPLY_BYTES_MAX = 1_000_000  # An error body names at most 2,000 indexes; more is not an answer.


class Sender(Protocol):
    """What the worker needs of a client; it is open from `async with` on."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None: ...

    async def send(self, request: Request) -> Reply: ...


def sender_to(destination: AmplitudeDestination | AampeDestination) -> Sender:
    """The client that suits the destination."""
    url, timeout_seconds = destination.url, destination.timeout_seconds
    if isinstance(destination, AampeDestination) and not _has_proxy(url):
        return Http1(url, timeout_seconds=timeout_seconds)
    return Http(url, timeout_seconds=timeout_seconds)


def _has_proxy(url: str) -> bool:
    """Whether the environment names one for it (`HTTPS_PROXY`, `NO_PROXY`)."""
    parts = urlsplit(url)
    return parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")


class Http:
    """Kept-alive connections to one destination."""

    def __init__(self, base_url: str, *, timeout_seconds: float) -> None:
        self._base_url = base_url
        self._client: Client = (
            ClientBuilder()
            .timeout(timedelta(seconds=timeout_seconds))
            .connect_timeout(timedelta(seconds=min(CONNECT_SECONDS, timeout_seconds)))
            .follow_redirects(False)  # A redirected POST loses its body.
            .user_agent("ampgate")
            .build()
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        await self._client.close()

    async def send(self, request: Request) -> Reply:
        try:
            response = await (
                self._client.post(self._base_url + request.path)
                .headers(dict(request.headers))
                .body_bytes(request.body)
                .build()
                .send()
            )
            body = bytes(await response.bytes())
        except PyreqwestError as error:
            return Unreachable(_reason(error))
        retry_after = response.headers.get("retry-after")
        return Response(response.status, body[:REPLY_BYTES_MAX], seconds_until(retry_after))


def _reason(error: PyreqwestError) -> str:
    """A closed set of words: it is a metric label."""
    name = type(error).__name__
    if "Connect" in name:
        return "connect_failed"
    return "timeout" if "Timeout" in name else "connection_broken"
