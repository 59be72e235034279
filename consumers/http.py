"""The only file that knows the HTTP client: a request goes out, a reply comes back as a value."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from consumers.delivery.destination import Reply, Request, Response, Unreachable

CONNECT_SECONDS = 10.0
REPLY_BYTES_MAX = 1_000_000  # An error body names at most 2,000 indexes; more is not an answer.


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
        return Response(response.status, body[:REPLY_BYTES_MAX], _seconds(retry_after))


def _reason(error: PyreqwestError) -> str:
    """A closed set of words: it is a metric label."""
    name = type(error).__name__
    if "Timeout" in name:
        return "timeout"
    return "connect_failed" if "Connect" in name else "connection_broken"


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds or as a date; what is neither counts as absent."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
