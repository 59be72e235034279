"""A process that pulls does not end without a word."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from gateway.pulls import server
from gateway.pulls.server import ended_by_itself
from schemas.configuration.config import Config
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.processes import until_answers


async def returns() -> None:
    pass


async def raises() -> None:
    raise OSError("no files left")


async def is_cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("part", "cause"), [(returns, None), (is_cancelled, None), (raises, "no files left")]
)
async def test_a_part_that_ends_by_itself_is_named_with_its_error(
    part: Callable[[], Awaitable[None]], cause: str | None
) -> None:
    async def ends() -> None:
        await part()

    task = asyncio.create_task(ends(), name="group")
    await asyncio.wait([task])

    found = ended_by_itself(task)
    assert str(found) == "a part of this process ended by itself: group"
    assert (None if found.__cause__ is None else str(found.__cause__)) == cause


async def test_while_kafka_was_never_there_it_answers_and_ends_when_told(
    monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setattr(server, "ACK_SECONDS", 2 * DEADLINE_SECONDS)
    pull = {"name": "crm", "type": "amplemarket", "every": "1h", "api_key": "k"}
    config = Config.model_validate(
        {
            "kafka": {"bootstrap_servers": "127.0.0.1:9"},
            "pull": {"admin_host": "127.0.0.1", "admin_port": unused_tcp_port},
            "pulls": [pull],
        }
    )
    serving = asyncio.create_task(server._serve(config, (), lambda: config))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    await until_answers(f"{url}/healthz", 200)
    await until_answers(f"{url}/readyz", 503)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await serving
