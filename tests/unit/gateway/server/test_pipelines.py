"""Requests that come before the ones before them are answered, and clients that read slowly."""

import asyncio

import pytest

from gateway.server.flow import HIGH_WATER_BYTES, READER_SECONDS
from tests.unit.gateway.server.peers import HEALTH, SMALL, Peer


@pytest.mark.parametrize("piece", [100, 4_096, 1_000_000])
async def test_every_pipelined_request_is_answered(peer: Peer, piece: int) -> None:
    upgrade = b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    requests = (upgrade + SMALL) * 500 + HEALTH
    for start in range(0, len(requests), piece):
        peer.connection.data_received(requests[start : start + piece])
        await asyncio.sleep(0)
    await peer.sends(b"")
    assert peer.statuses() == [200, 202] * 500 + [200]


@pytest.mark.parametrize("count", [150, 3_000])
async def test_requests_behind_one_that_is_not_answered_stay_unparsed(
    peer: Peer, count: int
) -> None:
    peer.connection.data_received(HEALTH * count)
    assert len(peer.connection.pipeline) < 20
    await peer.sends(b"")
    assert len(peer.statuses()) == count


async def test_who_takes_no_answer_is_cut_off(peer: Peer) -> None:
    peer.wire.unread = 1_000
    await peer.sends(HEALTH)
    peer.clock.pass_until(READER_SECONDS - 0.01)
    assert not peer.wire.aborted
    peer.clock.pass_until(READER_SECONDS)
    assert peer.wire.aborted


async def test_who_takes_a_large_answer_slowly_is_not_cut_off(peer: Peer) -> None:
    """The buffer is filled again as soon as there is room in it: at each look it is full."""
    peer.wire.unread = HIGH_WATER_BYTES
    peer.connection.pause_writing()
    for round_ in range(1, 5):
        for _ in range(6):
            peer.connection.resume_writing()
            peer.connection.pause_writing()
        peer.clock.pass_until(round_ * READER_SECONDS)
    assert not peer.wire.aborted

    peer.wire.unread -= 30  # A byte a second.
    peer.clock.pass_until(5 * READER_SECONDS)
    assert peer.wire.aborted


async def test_a_busy_connection_is_not_cut_off_for_its_newest_answer(peer: Peer) -> None:
    for round_ in range(1, 8):
        peer.wire.unread = 400
        await peer.sends(HEALTH)
        peer.clock.pass_until(round_ * READER_SECONDS / 2)
    assert not peer.wire.aborted


async def test_a_refusal_that_nobody_takes_holds_no_connection(peer: Peer) -> None:
    peer.wire.unread = 100
    await peer.sends(b"nonsense\r\n\r\n")
    assert peer.statuses() == [400]
    peer.clock.pass_until(READER_SECONDS)
    assert peer.wire.aborted


async def test_requests_that_wait_unparsed_count_in_the_budget(peer: Peer) -> None:
    peer.connection.data_received(HEALTH * 3_000)
    assert peer.budget.used > 50_000
    await peer.sends(b"")
    assert len(peer.statuses()) == 3_000
    assert peer.budget.used == 0


async def test_requests_for_which_there_is_no_room_are_left_to_be_sent_again(peer: Peer) -> None:
    share = peer.budget.share()
    share.charge(peer.budget.limit)
    peer.connection.data_received(HEALTH * 3_000)
    peer.connection.data_received(SMALL)
    await peer.sends(SMALL)

    assert 0 < len(peer.statuses()) < 100
    assert set(peer.statuses()) == {200}
    assert peer.wire.closed
    assert peer.budget.used == share.size


async def test_a_connection_that_ends_gives_its_room_back(peer: Peer) -> None:
    peer.connection.data_received(HEALTH * 3_000)
    peer.connection.connection_lost(None)
    assert peer.budget.used == 0
