"""One try to post a body to an edge, and why there was no answer."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pyreqwest.client import Client
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PyreqwestError

from ampgate.errors import CommandError
from schemas.http.client import header
from schemas.http.retry_after import seconds_until

NO_ANSWER = 0


class Answer(NamedTuple):
    status: int
    body: bytes
    retry_after: float = 0.0


Post = Callable[[bytes], Awaitable[Answer]]
"""Makes one try; `NO_ANSWER` when none came, with the reason as body."""


def poster(client: Client, url: str, key: str) -> Post:
    """Posts bodies to the native path of the edge at `url`."""
    path = f"{url.rstrip('/')}/v1/events"

    async def post(body: bytes) -> Answer:
        try:
            request = client.post(path).bearer_auth(key).body_bytes(body)
            response = await request.header("content-type", "application/x-ndjson").build().send()
            content = bytes(await response.bytes())
        except BuilderError as error:
            raise CommandError(f"{url}: {cause_of(error)}") from error
        except ValueError as error:
            raise CommandError(f"{url}: {error}") from error
        except PyreqwestError as error:
            return Answer(NO_ANSWER, f"{url}: {cause_of(error)}".encode())
        seconds = seconds_until(header(response, "retry-after"), header(response, "date"))
        return Answer(response.status, content, seconds or 0.0)

    return post


def cause_of(error: PyreqwestError) -> str:
    """The innermost words, such as "Connection refused"."""
    causes = error.details["causes"] if isinstance(error, DetailedPyreqwestError) else None
    return causes[-1]["message"] if causes else str(error)
