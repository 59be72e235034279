"""The client of one account: pace, waits and a new login, so that a pull sees only answers."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Protocol
from urllib.parse import urljoin

import structlog
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.response import Response

from gateway.http.surrogates import repaired
from gateway.pulls.pace import Pace
from gateway.pulls.pull import Answer, RefusedError, TooLargeError, UnavailableError
from schemas.http.client import ClientOwner, client_builder, header, read_body, store_body
from schemas.http.proxies import proxy_for
from schemas.http.retry_after import seconds_until

TIMEOUT_SECONDS = 60.0
# Of a file: its bytes may take long, but not come to a stop.
DOWNLOAD_SECONDS, SILENCE_SECONDS = 3_600.0, 60.0
BODY_BYTES_MAX = 32_000_000
FILE_BYTES_MAX = 2_000_000_000  # Of a download; two million members take 120 MB.
ATTEMPTS_MAX = 8
REDIRECTS_MAX = 5  # A store of files may name another of its hosts.
BACKOFF_LAST_SECONDS = 60.0

log = structlog.get_logger()
Query = Sequence[tuple[str, str]]
Login = Callable[[], Mapping[str, str]]


class Exchange(Protocol):
    async def __call__(
        self, path: str, query: Query, headers: Mapping[str, str], into: Path | None = None
    ) -> Answer | None:
        """The answer, or None. A whole URL is asked as it is. `into` takes a success's body."""


class Client:
    """`Api` over an exchange of one request and its answer."""

    def __init__(
        self,
        exchange: Exchange,
        login: Login,
        pace: Pace,
        seen: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._exchange = exchange
        self._login = login  # Reads the credentials again: a token's file may hold a newer one.
        self._pace = pace
        self._seen = seen  # Of each answer its status.
        self._sleep = sleep
        self._headers: Mapping[str, str] | None = None
        self._random = Random()

    async def download(self, path: str, into: Path) -> Answer:
        try:
            for attempt in range(ATTEMPTS_MAX):
                answer = await self._answer(path, (), into)
                if answer.status == 200:
                    return answer
                url = _elsewhere(path, answer)
                if url is None:
                    return answer
                found = await self._follow(url, into)
                if found is not None and found.status == 200:
                    return found
                await self._sleep(self._seconds(attempt, found))
        except OSError as error:
            raise UnavailableError(f"the file could not be written: {error}") from error
        raise UnavailableError("the file could not be downloaded")

    async def get(self, path: str, query: Query = ()) -> Answer:
        answer = await self._answer(path, query)
        # One emoji that was cut would make its whole page unreadable, each time it is read.
        return answer._replace(body=repaired(answer.body) or answer.body)

    async def _follow(self, url: str, into: Path) -> Answer | None:
        """To other hosts: they get none of our headers."""
        found = None
        for _ in range(REDIRECTS_MAX):
            found = await self._exchange(url, (), {}, into)
            self._seen("none" if found is None else str(found.status))
            further = None if found is None else _elsewhere(url, found)
            if further is None:
                break
            url = further
        return found

    async def _answer(self, path: str, query: Query, into: Path | None = None) -> Answer:
        trouble = ""
        is_renewed = False
        for attempt in range(ATTEMPTS_MAX):
            answer = await self._ask(path, query, into)
            if answer is not None and answer.status == 401 and not is_renewed:
                is_renewed, self._headers = True, None
                answer = await self._ask(path, query, into)
            if answer is not None and answer.status in (401, 403):
                self._headers = None
                raise RefusedError(f"status_{answer.status}")
            if answer is not None and not _is_retried(answer.status):
                return answer
            trouble = "no answer" if answer is None else f"status {answer.status}"
            await self._sleep(self._seconds(attempt, answer))
        raise UnavailableError(trouble)

    async def _ask(self, path: str, query: Query, into: Path | None) -> Answer | None:
        if self._headers is None:
            self._headers = self._login()
        async with self._pace:
            answer = await self._exchange(path, query, self._headers, into)
        self._seen("none" if answer is None else str(answer.status))
        return answer

    def _seconds(self, attempt: int, answer: Answer | None) -> float:
        told = None
        if answer is not None:
            told = seconds_until(answer.headers.get("retry-after"), answer.headers.get("date"))
        # A random share, so that many processes do not come back as one.
        ours = min(BACKOFF_LAST_SECONDS, 2.0**attempt) * self._random.uniform(0.5, 1.0)
        return ours if told is None else max(told, 0.1)


def _elsewhere(url: str, answer: Answer) -> str | None:
    """The whole URL that a redirect leads to."""
    if not 300 <= answer.status < 400:
        return None
    try:
        found = urljoin(url, answer.headers.get("location", ""))
    except ValueError:
        return None
    return found if found != url and found.startswith(("https://", "http://")) else None


def _is_retried(status: int) -> bool:
    return status in (408, 425, 429) or status >= 500


class HttpExchange(ClientOwner):
    """Kept-alive connections to one API. A redirect is an answer: it may lead to another host."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        builder = client_builder(
            timeout_seconds=TIMEOUT_SECONDS, proxy=proxy_for(base_url, os.environ)
        )
        self._client = builder.read_timeout(timedelta(seconds=SILENCE_SECONDS)).build()

    async def __call__(
        self, path: str, query: Query, headers: Mapping[str, str], into: Path | None = None
    ) -> Answer | None:
        url = path if path.startswith(("https://", "http://")) else self._base_url + path
        seconds = TIMEOUT_SECONDS if into is None else DOWNLOAD_SECONDS
        try:
            request = self._client.get(url).query(list(query)).headers(dict(headers))
            timed = request.timeout(timedelta(seconds=seconds))
            async with timed.build_streamed() as response:
                names = ("retry-after", "date", "location", "content-type")
                found = {name: text for name in names if (text := header(response, name))}
                if into is not None and response.status == 200:
                    await store_body(response, into, _bounded())
                    return Answer(response.status, found, b"")
                return Answer(response.status, found, await _read(response))
        except (PyreqwestError, ValueError) as error:  # `ValueError`: a redirect to no URL.
            log.debug("no answer", path=path.partition("?")[0], error=type(error).__name__)
            return None


def _bounded() -> Callable[[int], None]:
    """Of a file: is told of each piece, and raises where it becomes too large."""
    size = 0

    def count(piece: int) -> None:
        nonlocal size
        size += piece
        if size > FILE_BYTES_MAX:
            raise TooLargeError(f"a file of more than {FILE_BYTES_MAX} bytes")

    return count


async def _read(response: Response) -> bytes:
    body = await read_body(response, BODY_BYTES_MAX)
    if len(body) > BODY_BYTES_MAX:
        raise TooLargeError(f"an answer of more than {BODY_BYTES_MAX} bytes")
    return body
