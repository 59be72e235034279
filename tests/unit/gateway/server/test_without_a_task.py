"""A small request waits for Kafka without a task, and is answered as one with a task is."""

import asyncio
import gzip
import inspect
import json

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.flushes import Write
from tests.unit.gateway.server.http_client import request
from tests.unit.gateway.server.peers import HEALTH, LARGE, SMALL, Peer


@pytest.fixture
async def peer() -> Peer:
    """One that sends to an edge whose Kafka has not acknowledged yet."""
    peer = Peer()
    peer.edge.store.writes = []
    return peer


def writes(peer: Peer) -> list[Write]:
    assert peer.edge.store.writes is not None
    return peer.edge.store.writes


async def acknowledges(peer: Peer, error: Exception | None = None) -> None:
    """Kafka does, or fails, for the oldest."""
    writes(peer).pop(0).one_ended(error)
    while any(isinstance(task, asyncio.Task) for task in peer.state.tasks):
        await asyncio.wait([one for one in peer.state.tasks if isinstance(one, asyncio.Task)])


async def test_it_is_answered_when_kafka_has_it_and_not_before(peer: Peer) -> None:
    peer.connection.data_received(SMALL)
    await asyncio.sleep(0)
    assert peer.statuses() == []
    assert peer.budget.used == 37
    assert len(asyncio.all_tasks()) == 1, "a task was needed"
    assert len(peer.state.tasks) == 1, "a shutdown would not wait for it"

    await acknowledges(peer)
    assert peer.statuses() == [202]
    assert (peer.budget.used, peer.state.total_requests) == (0, 1)
    assert not peer.state.tasks


@pytest.mark.parametrize(
    ("error", "status"), [(NotStored("away"), 503), (TooLargeForKafka("events", 10), 422)]
)
async def test_what_kafka_does_not_store_is_told(peer: Peer, error: Exception, status: int) -> None:
    peer.connection.data_received(SMALL)
    peer.edge.store.largest = 10
    await acknowledges(peer, error)
    assert peer.statuses() == [status]
    assert (b"retry-after: 1" in peer.wire.written) == (status == 503)
    assert (peer.wire.writes, peer.budget.used) == (1, 0)


async def test_pipelined_requests_wait_for_those_before_them(peer: Peer) -> None:
    peer.connection.data_received(SMALL + HEALTH + SMALL)
    assert len(writes(peer)) == 1
    await acknowledges(peer)
    assert peer.statuses() == [202, 200]
    await acknowledges(peer)
    assert peer.statuses() == [202, 200, 202]


async def test_a_client_that_is_gone_gets_nothing_and_leaves_nothing(peer: Peer) -> None:
    peer.connection.data_received(SMALL)
    peer.wire.close()
    peer.connection.connection_lost(None)
    assert len(peer.state.tasks) == 1, "a shutdown would not wait for it"
    await acknowledges(peer)
    assert (peer.wire.writes, peer.budget.used) == (0, 0)
    assert not peer.state.tasks


async def test_a_client_that_does_not_read_is_answered_when_it_does(peer: Peer) -> None:
    peer.connection.data_received(SMALL)
    peer.connection.pause_writing()
    writes(peer).pop().one_ended(None)
    await asyncio.sleep(0)
    assert peer.wire.writes == 0
    assert peer.budget.used == 37

    peer.connection.resume_writing()
    await peer.served()
    assert peer.statuses() == [202]
    assert peer.budget.used == 0


async def test_a_shutdown_that_waits_no_longer_answers_it_once(peer: Peer) -> None:
    peer.connection.data_received(SMALL)
    write = writes(peer)[0]
    for task in peer.state.tasks:
        task.cancel(msg="as uvicorn does")
    await asyncio.sleep(0)
    await peer.served()
    assert peer.statuses() == [503]
    assert b"this edge stops" in peer.wire.written
    assert peer.budget.used == 0

    write.one_ended(None)
    await peer.served()
    assert peer.wire.writes == 1


async def test_a_suppressed_user_stays_out_and_others_need_no_task(peer: Peer) -> None:
    peer.edge.suppress("user-1")
    await peer.sends(SMALL)
    assert peer.statuses() == [422]
    assert "events" not in peer.edge.store.topics

    peer.connection.data_received(SMALL.replace(b"user-1", b"user-2"))
    assert len(asyncio.all_tasks()) == 1
    await acknowledges(peer)
    assert peer.statuses() == [422, 202]


def zipped(*lines: bytes, times: int = 1, length: int = 37) -> bytes:
    """A request whose body is as long as the one of `SMALL`, with these header lines besides."""
    body = b'{"event_type":"a","user_id":"user-1"}'.ljust(length)
    for _ in range(times):
        body = gzip.compress(body)
    return request(body, head=b"".join(lines))


ENCODED = b"Content-Encoding: gzip\r\n"


async def test_a_short_one_in_gzip_needs_no_task_either(peer: Peer) -> None:
    peer.connection.data_received(zipped(ENCODED))
    assert len(asyncio.all_tasks()) == 1, "a task was needed"
    assert peer.budget.used == 37

    await acknowledges(peer)
    assert peer.statuses() == [202]
    [record] = peer.edge.store.topics["events"]
    assert json.loads(record.value)["user_id"] == "user-1"
    assert peer.budget.used == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (zipped(ENCODED, ENCODED, times=2), 202),
        (zipped(b"Content-Encoding: gzip, gzip\r\n", times=2), 202),
        (zipped(ENCODED, length=1_000), 202),
        (zipped(ENCODED, length=1_001), 413),
        (zipped(ENCODED, times=2), 400),
        (zipped(ENCODED)[:-1] + b"x", 400),
    ],
)
async def test_any_other_in_gzip_is_read_with_care(peer: Peer, sent: bytes, status: int) -> None:
    peer.edge.store.writes = None  # Kafka acknowledges at once.
    await peer.sends(sent)
    assert peer.statuses() == [status]
    assert peer.budget.used == 0


async def test_a_request_begins_as_uvicorn_has_it(peer: Peer) -> None:
    """Ours is made without uvicorn's own constructor."""
    peer.connection.data_received(LARGE)
    arguments = inspect.signature(RequestResponseCycle).parameters
    theirs = vars(RequestResponseCycle(**dict.fromkeys(arguments)))  # type: ignore[arg-type]
    ours = {name: getattr(peer.connection.cycle, name) for name in theirs}

    state = {name for name, value in theirs.items() if value is not None}
    assert {name: ours[name] for name in state} == {name: theirs[name] for name in state}
    peer.connection.connection_lost(None)
    await peer.served()
