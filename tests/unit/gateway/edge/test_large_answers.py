"""An answer that its client has not taken is memory, like a body that waits for Kafka."""

import asyncio
from typing import Any

from tests.unit.gateway.memory import KEY, Edge

RECORDS = 5_000
EVENT = b'{"event_type":"a","user_id":"user-1"}\n'


class SlowReader:
    """A client that takes an answer only when it is told to."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.reads = asyncio.Event()
        self.asked = asyncio.Event()
        self.taken = b""

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Any) -> None:  # noqa: ANN401  As ASGI has it.
        if message["type"] == "http.response.body":
            self.asked.set()
            await self.reads.wait()
            self.taken += bytes(message["body"])


def scope(body: bytes) -> dict[str, Any]:
    lines = {**KEY, "content-length": str(len(body)), "content-type": "application/x-ndjson"}
    return {
        "type": "http",
        "method": "POST",
        "path": "/v1/events",
        "query_string": b"receipts=true",
        "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
        "client": ("127.0.0.1", 1),
    }


async def test_a_large_answer_stays_in_the_budget_until_it_is_taken() -> None:
    edge, body = Edge(), EVENT * RECORDS
    reader = SlowReader(body)
    serving = asyncio.create_task(edge.app(scope(body), reader.receive, reader.send))
    await reader.asked.wait()
    held = edge.ingest.budget.used
    reader.reads.set()
    await serving

    assert held > len(body) + len(reader.taken) // 2 > 200_000
    assert len(reader.taken) > 300_000
    assert edge.ingest.budget.used == 0
