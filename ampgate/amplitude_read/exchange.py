"""One request to a read API, and its answer as a value."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from pyreqwest.exceptions import PyreqwestError
from pyreqwest.response import Response

from ampgate.errors import CommandError
from ampgate.send.posting import cause_of
from schemas.http.client import ClientOwner, client_builder, header, read_body, store_body
from schemas.http.proxies import proxy_for
from schemas.http.retry_after import seconds_until

TIMEOUT_SECONDS = 120.0
DOWNLOAD_SECONDS = 4 * 3_600.0  # 4 GB at 300 kB/s.
SILENCE_SECONDS = 600.0  # An export is prepared before its first byte comes.
BODY_BYTES_MAX = 64_000_000
NO_ANSWER = 0

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for. `form` makes it a POST, or what `method` says."""

    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    form: Sequence[tuple[str, str]] | None = None


class Answer(NamedTuple):
    """`NO_ANSWER` when none came, with the reason as body."""

    status: int
    body: bytes
    retry_after: float | None = None

    @property
    def is_page(self) -> bool:
        """HTML: no API says so, but a proxy, or whoever else is at a wrong address."""
        return self.body.lstrip().startswith(b"<")


class Exchange(ClientOwner):
    """Kept-alive connections to one API. No redirect is followed: none is documented."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        builder = client_builder(
            timeout_seconds=DOWNLOAD_SECONDS, proxy=proxy_for(base_url, os.environ)
        )
        self._client = builder.read_timeout(timedelta(seconds=SILENCE_SECONDS)).build()

    async def ask(self, asked: Asked) -> Answer:
        try:
            async with self._request(asked, TIMEOUT_SECONDS) as response:
                return _answer(response, await _read(response))
        except PyreqwestError as error:
            return Answer(NO_ANSWER, cause_of(error).encode())

    async def download(self, asked: Asked, into: Path, on_bytes: OnBytes) -> Answer:
        """A success's body is in the file, which may be incomplete if there is `NO_ANSWER`."""
        try:
            async with self._request(asked, DOWNLOAD_SECONDS) as response:
                if response.status != 200:
                    return _answer(response, await _read(response))
                await store_body(response, into, on_bytes)
                return _answer(response, b"")
        except PyreqwestError as error:
            return Answer(NO_ANSWER, cause_of(error).encode())

    def _request(self, asked: Asked, seconds: float) -> AbstractAsyncContextManager[Response]:
        method = asked.method if asked.form is None or asked.method != "GET" else "POST"
        request = self._client.request(method, self._base_url + asked.path)
        request = request.query(list(asked.query)).headers(dict(asked.headers))
        if asked.form is not None:
            request = request.form(list(asked.form))
        return request.timeout(timedelta(seconds=seconds)).build_streamed()


def _answer(response: Response, body: bytes) -> Answer:
    told = seconds_until(header(response, "retry-after"), header(response, "date"))
    return Answer(response.status, body, told)


async def _read(response: Response) -> bytes:
    body = await read_body(response, BODY_BYTES_MAX)
    if len(body) > BODY_BYTES_MAX:
        raise CommandError(f"an answer of more than {BODY_BYTES_MAX} bytes")
    return body
