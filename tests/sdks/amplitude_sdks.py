"""Amplitude's own SDKs, unmodified: each sends, and says what became of it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amplitude import (  # type: ignore[import-untyped]  # It ships no types.
    Amplitude,
    BaseEvent,
    Config,
    EventOptions,
    Identify,
)

from tests.eventually import DEADLINE_SECONDS
from tests.sdks.npm import run_send

NODE_DIR = Path(__file__).parent / "node"
USER = EventOptions(user_id="user-1")
SENT = ["Order Placed", "$identify", "$groupidentify"]


@dataclass(frozen=True, slots=True)
class Result:
    """What an SDK says became of an event."""

    event_type: str
    insert_id: str
    code: int


@dataclass(slots=True)
class Python:
    """The Python SDK's client, and what it reported, in order."""

    client: Any
    results: asyncio.Queue[Result] = field(default_factory=asyncio.Queue)
    errors: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def reported(self, count: int) -> list[Result]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return [await self.results.get() for _ in range(count)]


@asynccontextmanager
async def python_sdk(url: str, key: str, batch_of: int) -> AsyncIterator[Python]:
    """A client that sends as soon as it has `batch_of` events."""
    loop = asyncio.get_running_loop()
    sdk = Python(None)

    def callback(event: Any, code: int, message: str | None = None) -> None:  # noqa: ANN401, ARG001
        result = Result(event.event_type, event.insert_id, code)
        loop.call_soon_threadsafe(sdk.results.put_nowait, result)

    class Errors(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            loop.call_soon_threadsafe(sdk.errors.put_nowait, record.getMessage())

    logger = logging.Logger("amplitude-sdk", logging.ERROR)
    logger.addHandler(Errors())
    sdk.client = Amplitude(
        key,
        Config(
            server_url=url,
            use_batch=url.endswith("/batch"),
            flush_queue_size=batch_of,
            flush_interval_millis=1000,
            callback=callback,
            logger=logger,
        ),
    )
    try:
        yield sdk
    finally:
        # It waits for requests that this loop answers.
        await asyncio.to_thread(sdk.client.shutdown)


def send_three(client: Any) -> None:  # noqa: ANN401
    properties = {"total": 12.5, "note": "Grüße 🚀"}
    client.track(BaseEvent("Order Placed", user_id="user-1", event_properties=properties))
    client.identify(Identify().set("plan", "gold"), USER)
    client.group_identify("org", "Acme", Identify().set("seats", 3), USER)


async def node_sdk(node: str, **what: object) -> list[Result]:
    return [Result(**result) for result in json.loads(await run_send(node, NODE_DIR, what))]
