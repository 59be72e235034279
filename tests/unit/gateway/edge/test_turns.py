"""A large request is read in turns, and answered as if it was read at once."""

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.reading import TURN_RECORDS
from gateway.edge.turns import TURN_BYTES, Turns
from tests.unit.gateway.calls import basic, bearer, call
from tests.unit.gateway.memory import EVENT, KEY, Edge

COUNT = 3 * TURN_RECORDS + 1
BAD = (0, TURN_RECORDS - 1, TURN_RECORDS, COUNT - 1)
IDENTIFICATION = '{"user_id":"user-1","user_properties":{}}'
Wrap = Callable[[Sequence[object]], object]


def native(values: Sequence[object]) -> object:
    return list(values)


def amplitude(values: Sequence[object]) -> object:
    return {"api_key": "secret", "events": list(values)}


def identifications(values: Sequence[object]) -> object:
    return {"api_key": "secret", "identification": list(values)}


def segment(values: Sequence[object]) -> object:
    return {"batch": list(values), "context": {"locale": "de", "traits": {"a": 1}}}


@pytest.mark.parametrize(
    ("path", "wrap", "good", "headers"),
    [
        ("/v1/events", native, EVENT, bearer("secret")),
        ("/2/httpapi", amplitude, EVENT, {}),
        ("/identify", identifications, {"user_id": "user-1", "user_properties": {}}, {}),
        (
            "/segment/v1/batch",
            segment,
            {"type": "track", "event": "a", "userId": "user-1", "messageId": "m"},
            basic("secret"),
        ),
    ],
)
@pytest.mark.parametrize("bad", [(), BAD])
async def test_a_request_read_in_turns_is_answered_as_one_read_at_once(
    path: str, wrap: Wrap, good: dict[str, object], headers: dict[bytes, bytes], bad: Sequence[int]
) -> None:
    values = [{} if index in bad else good | {"n": index} for index in range(COUNT)]
    body = json.dumps(wrap(values)).encode()
    at_once = call(path, body, headers, key="secret")
    edge = Edge()
    async with edge.client as client:
        names = {name.decode(): value.decode() for name, value in headers.items()}
        in_turns = await client.post(path, content=body, headers=names)

    assert in_turns.status_code == at_once.status
    if path != "/2/httpapi" or bad:  # Its success names the time.
        assert in_turns.content == at_once.answer.body
    stored = [record for topic in edge.store.topics.values() for record in topic]
    assert len(stored) == len(at_once.batch.records) + len(at_once.batch.rejected)
    assert [record.key for record in stored if record.key] == at_once.keys


@pytest.mark.parametrize(("value", "status"), [("{}", 400), (IDENTIFICATION, 200)])
async def test_records_of_a_query_are_read_in_turns_too(value: str, status: int) -> None:
    edge = Edge()
    query = {"api_key": "secret", "identification": f"[{','.join([value] * COUNT)}]"}
    async with edge.client as client:
        answer = await client.get("/identify", params=query)

    assert answer.status_code == status
    assert len(edge.store.topics.get("user-properties", [])) == (COUNT if status == 200 else 0)


@pytest.mark.parametrize("scrub", [[], [{"pattern": "[a-z]+@[a-z]+"}]])
async def test_others_are_served_while_a_large_request_is_read(scrub: list[object]) -> None:
    edge, done = Edge(scrub=scrub), []
    async with edge.client as client:

        async def post(name: str, body: object) -> None:
            answer = await client.post("/v1/events", json=body, headers=KEY)
            assert answer.status_code == 202
            done.append(name)

        async with asyncio.TaskGroup() as clients:
            clients.create_task(post("large", [EVENT] * 50 * TURN_RECORDS))
            clients.create_task(post("small", EVENT))

    assert done == ["small", "large"]
    assert edge.ingest.budget.used == 0


async def test_others_are_served_while_a_large_request_is_scrubbed() -> None:
    edge, turns = Edge(scrub=[{"pattern": "[a-z]+@[a-z]+"}]), 0
    event = EVENT | {"event_properties": {"x": ["a@b"] * 5_000}}

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with edge.client as client:
        await client.post("/v1/events", json=EVENT, headers=KEY)
        beside = asyncio.create_task(others())
        before = turns
        few = await client.post("/v1/events", json=[event] * 2, headers=KEY)
        usual, before = turns - before, turns
        many = await client.post("/v1/events", json=[event] * 5, headers=KEY)
        beside.cancel()

    assert (few.status_code, many.status_code) == (202, 202)
    assert turns - before >= usual + 2


@given(st.lists(st.integers(1, 2 * TURN_BYTES), max_size=30), st.sets(st.integers(0, 29)))
def test_of_what_comes_together_a_turn_is_read_in_one_step_of_the_loop_in_order(
    sizes: list[int], cancelled: set[int]
) -> None:
    async def run() -> list[list[int]]:
        turns = Turns()
        steps: list[list[int]] = [[]]

        async def read(number: int) -> None:
            await turns.take(sizes[number])
            steps[-1].append(number)

        async with asyncio.TaskGroup() as readers:
            tasks = [readers.create_task(read(number)) for number in range(len(sizes))]
            await asyncio.sleep(0)
            for number in cancelled & set(range(len(sizes))):
                tasks[number].cancel()
            while not all(task.done() for task in tasks):
                steps.append([])
                await asyncio.sleep(0)
        return steps

    steps = asyncio.run(run())

    read = [number for step in steps for number in step]
    assert read == sorted(read)
    assert set(read) | cancelled >= set(range(len(sizes)))
    for step in steps:
        assert sum(sizes[number] for number in step[:-1]) < TURN_BYTES


async def test_who_comes_while_others_wait_is_behind_them() -> None:
    turns, read = Turns(), []

    async def reader(name: str) -> None:
        await turns.take(TURN_BYTES)
        read.append(name)

    async with asyncio.TaskGroup() as readers:
        for name in ("first", "second", "third"):
            readers.create_task(reader(name))
        await asyncio.sleep(0)
        readers.create_task(reader("late"))

    assert read == ["first", "second", "third", "late"]
