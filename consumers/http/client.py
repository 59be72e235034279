"""HTTP clients: a request in, a reply out, as a value.

Two clients, chosen by measurement (`benchmarks/clients.py`): pyreqwest for few large requests, and
for all that go through a proxy; for one event a request our own `Http1`, at two thirds of the CPU
time.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Protocol, Self

import structlog
from pyreqwest.client import Client
from pyreqwest.exceptions import (
    BodyDecodeError,
    ConnectError,
    ConnectTimeoutError,
    DecodeError,
    DetailedPyreqwestError,
    PyreqwestError,
    RequestTimeoutError,
)

from consumers.delivery.destination import Reply, Request, Unreachable
from consumers.destinations import parts_of
from consumers.http.connection import AGE_SECONDS
from consumers.http.http1 import Http1
from consumers.http.replies import BODY_BYTES_MAX, INVALID, reply_of
from schemas.http.client import ClientOwner, client_builder, header, read_body
from schemas.http.proxies import proxy_for
from schemas.vendors.vendor import ConfiguredDestination

log = structlog.get_logger()


class Sender(Protocol):
    """An HTTP client as the worker uses it; `async with` opens it."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None: ...

    def begin(self, request: Request, replied: Callable[[Reply], None]) -> bool:
        """Send it without a task, and call `replied` later; False where it needs `send`."""

    async def send(self, request: Request) -> Reply:
        """The answer, or why there is none; raises nothing but `CancelledError`."""


def sender_to(destination: ConfiguredDestination) -> Sender:
    """The client that suits the destination; `ConfigError` if the proxy to it cannot be used."""
    url, timeout_seconds = destination.url, destination.timeout_seconds
    proxy = proxy_for(url, os.environ)
    one_record_each = all(one.limits.records == 1 for one in parts_of(destination))
    if one_record_each and proxy is None:
        return Http1(url, timeout_seconds=timeout_seconds)
    return Http(url, timeout_seconds=timeout_seconds, proxy=proxy)


class Http(ClientOwner):
    """Kept-alive connections to one destination.

    pyreqwest keeps a connection for as long as it is used, so the client is replaced from time to
    time: its idle connections end with it, the others after the request that they carry.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float,
        proxy: str | None = None,
        age_seconds: float = AGE_SECONDS,
    ) -> None:
        self._base_url = base_url
        self._builder = partial(client_builder, timeout_seconds=timeout_seconds, proxy=proxy)
        self._age_seconds = age_seconds
        self._renew()

    def begin(self, _request: Request, _replied: Callable[[Reply], None]) -> bool:
        return False

    async def send(self, request: Request) -> Reply:
        try:
            if time.monotonic() > self._renew_at:
                self._renew()
            return await _exchange(self._client, self._base_url, request)
        except PyreqwestError as error:
            return Unreachable(_reason(error))
        except Exception as error:  # noqa: BLE001  Nothing that a client does ends a worker.
            log.error("HTTP client failed, request will be sent again", error=repr(error))
            return Unreachable("client_failed")

    def _renew(self) -> None:
        self._client = self._builder().build()
        self._renew_at = time.monotonic() + self._age_seconds


async def _exchange(client: Client, base_url: str, request: Request) -> Reply:
    asked = (
        client.post(base_url + request.path)
        .headers(dict(request.headers))
        .body_bytes(request.body)
        .build_streamed()
    )
    async with asked as response:
        return reply_of(
            response.status,
            await read_body(response, BODY_BYTES_MAX),
            retry_after=header(response, "retry-after"),
            date=header(response, "date"),
        )


def _reason(error: PyreqwestError) -> str:
    """The error as one of few words, for a metric label. `connect_failed`: nothing was sent."""
    causes = _causes(error)
    match error:
        # Errors and timeouts before the answer have the same classes, though the request was sent.
        case ConnectError() | ConnectTimeoutError() if "client error (Connect)" in causes:
            return "connect_failed"
        case RequestTimeoutError():
            return "timeout"
        case BodyDecodeError() if "error reading a body from connection" in causes:
            return "connection_broken"
        case DecodeError():
            return INVALID.reason
        case _:
            return "connection_broken"


def _causes(error: PyreqwestError) -> list[str]:
    causes = error.details["causes"] if isinstance(error, DetailedPyreqwestError) else None
    return [cause["message"] for cause in causes or ()]
