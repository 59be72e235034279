"""The requests of the benchmark are what the edge takes."""

import pytest

from benchmarks.events import KEY
from benchmarks.requests import REQUESTS
from tests.unit.gateway.memory import Edge


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("count", [1, 3])
async def test_each_of_its_events_is_stored(kind: str, count: int) -> None:
    if kind == "Aampe" and count > 1:
        count = 1  # It takes one a request.
    head, _, body = REQUESTS[kind](range(count)).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    edge = Edge({"name": "bench", "write_key": KEY})

    async with edge.client as client:
        answer = await client.post(first.split(" ")[1], content=body, headers=headers)

    assert answer.status_code in (200, 202)
    topic = "user-properties" if "identify" in kind else "events"
    assert len(edge.store.topics[topic]) == count
    assert list(edge.store.topics) == [topic]
