"""One connection more than there may be: which of them gives way."""

from gateway.server.crowd import UNFINISHED_SECONDS
from tests.unit.gateway.server.peers import HEALTH, LARGE, SMALL, Peer


async def test_one_connection_too_many_is_a_503() -> None:
    peer = Peer(connections_max=0)
    assert peer.statuses() == [503]
    assert b"\r\nretry-after: 1\r\n" in peer.wire.written
    assert peer.wire.closed


async def test_one_connection_too_many_takes_the_place_of_the_one_that_is_idle_longest() -> None:
    peer = Peer(connections_max=3)
    busy, first, second = peer.wire, *(peer.connect() for _ in range(2))
    for connection, _ in (first, second, first):  # So the second is idle for longer.
        connection.data_received(HEALTH)
        await peer.sends(b"")
    peer.connection.data_received(LARGE)
    _, third = peer.connect()

    assert (busy.closed, first[1].closed, second[1].closed) == (False, False, True)
    assert third.written == b""
    assert not third.closed

    first[0].data_received(b"GET /healthz")  # None is idle any more, or slow.
    second[0].connection_lost(None)
    assert peer.connect()[1].written.startswith(b"HTTP/1.1 503 ")


async def test_one_connection_too_many_takes_the_place_of_the_slowest_request() -> None:
    """Else clients that send nothing, or a byte a second, keep all others out."""
    peer = Peer(connections_max=3)
    silent, (slow, slow_wire), (busy, busy_wire) = peer.wire, *(peer.connect() for _ in range(2))
    busy.data_received(SMALL)
    peer.clock.pass_until(UNFINISHED_SECONDS / 2)
    busy.data_received(LARGE[:40])
    slow.data_received(b"GET /heal")
    assert peer.connect()[1].written.startswith(b"HTTP/1.1 503 ")  # None has had its time.

    peer.clock.pass_until(UNFINISHED_SECONDS)
    fourth, fourth_wire = peer.connect()
    slow.data_received(b"thz")
    peer.connect()
    assert silent.written.startswith(b"HTTP/1.1 503 ")
    assert slow_wire.written.startswith(b"HTTP/1.1 503 ")
    assert (silent.closed, slow_wire.closed) == (True, True)
    for connection in (busy, fourth):
        connection.data_received(HEALTH)
    await peer.sends(b"")
    assert (busy_wire.closed, fourth_wire.closed) == (False, False)
    assert fourth_wire.written.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_that_was_answered_may_be_the_slowest_one() -> None:
    peer = Peer(connections_max=2)
    empty, (pipelining, wire) = peer.wire, peer.connect()
    await peer.sends(HEALTH)
    pipelining.data_received(SMALL + HEALTH[:9])
    peer.connection.data_received(b"\r\n")
    await peer.sends(b"")
    peer.clock.pass_until(UNFINISHED_SECONDS)
    for closed in (wire, empty):
        assert not closed.closed
        peer.connect()
        assert closed.closed
