"""How long a connection may take for each step; over a clock that the test turns."""

import asyncio
import gc
import weakref

import pytest

from gateway.server.connections import HEAD_SECONDS, LEAVE_SECONDS, LINGER_SECONDS
from gateway.server.refusal import HEAD_BYTES_MAX, HEADERS_MAX
from tests.unit.gateway.server.peers import HEALTH, KEEP_ALIVE_SECONDS, LARGE, SMALL, Peer


async def test_who_says_nothing_is_closed(peer: Peer) -> None:
    assert peer.is_closed_at(HEAD_SECONDS)
    assert peer.wire.written == b""


async def test_slow_headers_are_a_408(peer: Peer) -> None:
    await peer.sends(b"POST /v1/events HTT")
    peer.clock.pass_until(6)
    await peer.sends(b"P/1.1\r\nX: y")
    assert peer.is_closed_at(HEAD_SECONDS)
    assert peer.wire.written.startswith(b"HTTP/1.1 408 ")


async def test_slow_headers_of_a_second_request_are_a_408_too(peer: Peer) -> None:
    await peer.sends(HEALTH)
    peer.clock.pass_until(50)
    await peer.sends(HEALTH[:-1])
    assert peer.is_closed_at(50 + HEAD_SECONDS)
    assert peer.wire.written.count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 408 " in peer.wire.written


async def test_an_idle_connection_stays_open_for_a_load_balancer(peer: Peer) -> None:
    await peer.sends(HEALTH)
    assert peer.is_closed_at(KEEP_ALIVE_SECONDS)


async def test_the_requests_of_a_connection_share_a_timer(peer: Peer) -> None:
    for _ in range(100):
        await peer.sends(SMALL)
    assert len(peer.clock.alarms) == 1


async def test_empty_lines_keep_nothing_open(peer: Peer) -> None:
    await peer.sends(HEALTH)
    await peer.sends(b"\r\n")
    assert peer.is_closed_at(HEAD_SECONDS)


async def test_a_refused_body_may_follow_for_a_while(peer: Peer) -> None:
    await peer.sends(LARGE)
    assert b"HTTP/1.1 413 " in peer.wire.written
    await peer.sends(b"x" * 1_000)
    assert peer.is_closed_at(LINGER_SECONDS)


async def test_after_a_refused_body_the_connection_goes_on(peer: Peer) -> None:
    await peer.sends(LARGE)
    await peer.sends(b"x" * 999_999)
    peer.clock.pass_until(LINGER_SECONDS)
    await peer.sends(HEALTH)
    assert b"HTTP/1.1 200 " in peer.wire.written
    assert not peer.wire.closed


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_an_answer_to_a_clients_last_request_waits_for_its_body(
    peer: Peer, version: bytes
) -> None:
    """urllib sends all of it before it reads: a closed connection would be all that it sees."""
    last = LARGE.replace(b"1.1\r\n", version + b"\r\nConnection: close\r\n", 1)
    await peer.sends(last + b"x" * 1_000)
    assert b"HTTP/1.1 413 " in peer.wire.written
    assert b"\r\nconnection: close\r\n" in peer.wire.written
    assert not peer.wire.closed
    await peer.sends(b"x" * 998_999)
    assert peer.wire.closed


async def test_nothing_is_served_behind_the_last_answer(peer: Peer) -> None:
    """A client of HTTP/1.0 that sends on before it is told that the connection ends."""
    refused = SMALL.replace(b"1.1\r\n", b"1.0\r\nConnection: keep-alive\r\n", 1)
    refused = refused.replace(b"secret", b"wrong")
    await peer.sends(refused[:-1])
    assert b"HTTP/1.1 401 " in peer.wire.written
    await peer.sends(refused[-1:] + SMALL)
    assert peer.wire.closed
    assert peer.edge.store.topics == {}


async def test_a_clients_last_request_whose_body_does_not_come_is_closed(peer: Peer) -> None:
    await peer.sends(LARGE.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
    assert peer.is_closed_at(LINGER_SECONDS)


async def test_a_shutdown_leaves_a_moment_for_what_is_on_its_way(peer: Peer) -> None:
    await peer.sends(HEALTH)
    peer.connection.shutdown()
    assert peer.is_closed_at(LEAVE_SECONDS)


async def test_what_came_whole_is_answered_in_one_write(peer: Peer) -> None:
    await peer.sends(SMALL)
    await peer.sends(SMALL)

    assert peer.wire.written.count(b"HTTP/1.1 202 ") == 2
    assert peer.wire.writes == 2
    assert not peer.wire.closed


async def test_who_does_not_read_is_answered_when_there_is_room(peer: Peer) -> None:
    peer.connection.pause_writing()
    sending = asyncio.create_task(peer.sends(SMALL))
    answered, _ = await asyncio.wait([sending], timeout=0.05)
    assert not answered
    assert peer.wire.writes == 0

    peer.connection.resume_writing()
    await sending
    assert peer.wire.written.startswith(b"HTTP/1.1 202 ")


async def test_what_came_whole_is_stored_also_if_its_sender_is_gone(peer: Peer) -> None:
    peer.connection.data_received(SMALL)
    peer.connection.connection_lost(None)
    await peer.served()
    assert peer.wire.writes == 0
    assert len(peer.edge.store.topics["events"]) == 1


@pytest.mark.parametrize("sent", [SMALL, HEALTH, SMALL + SMALL])
async def test_nothing_is_written_to_a_connection_that_closes(peer: Peer, sent: bytes) -> None:
    peer.connection.data_received(sent)
    peer.wire.close()  # uvloop raises at a write from now on; only later is the loss reported.
    await peer.served()
    assert peer.wire.writes == 0


@pytest.mark.parametrize("sent", [SMALL * 2, HEALTH * 2])
async def test_nothing_is_written_to_who_goes_without_having_read(peer: Peer, sent: bytes) -> None:
    """With pipelined requests, only the last of them is told."""
    peer.connection.pause_writing()
    peer.connection.data_received(sent)
    waiting = asyncio.create_task(peer.served())
    await asyncio.wait([waiting], timeout=0.05)
    peer.wire.close()
    peer.connection.connection_lost(None)
    await waiting
    assert peer.wire.writes == 0


async def test_a_client_that_sends_no_more_gets_all_its_answers(peer: Peer) -> None:
    peer.connection.data_received(SMALL * 3 + SMALL[:40])
    assert peer.connection.eof_received()
    await peer.served()
    assert peer.statuses() == [202] * 3
    assert peer.wire.closed


@pytest.mark.parametrize("sent", [SMALL[:40], SMALL[:-1]], ids=["head", "body"])
async def test_a_client_that_ends_within_a_request_is_closed(peer: Peer, sent: bytes) -> None:
    await peer.sends(HEALTH)
    peer.connection.data_received(sent)
    assert not peer.connection.eof_received()
    peer.connection.connection_lost(None)
    await peer.served()
    assert peer.statuses() == [200]


@pytest.mark.parametrize("piece", [1, 1_000, 100_000])
@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * (HEADERS_MAX + 1), b"100 headers"),
        (b"GET /healthz HTTP/1.1\r\na: " + b"x" * HEAD_BYTES_MAX + b"\r\n", b"16384 bytes"),
        (b"GET /healthz HTTP/1.1\r\n" + b"x" * HEAD_BYTES_MAX + b": a\r\n", b"16384 bytes"),
        (b"GET /" + b"x" * HEAD_BYTES_MAX + b" HTTP/1.1\r\n", b"16384 bytes"),
    ],
    ids=["many", "a long value", "a long name", "a long address"],
)
async def test_too_many_or_too_large_headers_are_a_431(
    peer: Peer, head: bytes, words: bytes, piece: int
) -> None:
    for start in range(0, len(head), piece):
        await peer.sends(head[start : start + piece])
        if peer.wire.closed:
            break
    else:
        await peer.sends(b"\r\n")

    assert peer.statuses() == [431]
    assert words in peer.wire.written
    assert peer.wire.closed


async def test_as_many_headers_as_allowed_are_taken(peer: Peer) -> None:
    await peer.sends(b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * HEADERS_MAX + b"\r\n")
    assert peer.statuses() == [200]


@pytest.mark.long
async def test_trailers_count_as_headers(peer: Peer) -> None:
    head = b"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer secret\r\n"
    head += b"transfer-encoding: chunked\r\n"
    await peer.sends(head + b"\r\n0\r\n" + b"a: b\r\n" * HEADERS_MAX)
    assert peer.wire.closed


@pytest.mark.parametrize(
    "address",
    [b"http://host", b"HTTP://host:1/", b"https://a:b@host/healthz", b"http://h?a=/b", b"*"],
)
async def test_an_absolute_address_is_its_path(peer: Peer, address: bytes) -> None:
    await peer.sends(b"GET %b HTTP/1.1\r\n\r\n" % address)
    assert peer.statuses() == [200 if b"healthz" in address else 405]


async def test_a_legacy_upload_with_an_absolute_address_is_stored(peer: Peer) -> None:
    """Some proxies pass on the address as they got it."""
    body = b"client=secret&e=%5B%7B%22event_type%22%3A%22a%22%2C%22user_id%22%3A%22user-1%22%7D%5D"
    head = b"POST http://host HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    await peer.sends(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert peer.statuses() == [200]


async def test_trailers_are_no_headers() -> None:
    """Else whoever is behind a proxy could add what the proxy takes out."""
    peer = Peer()
    head = b"POST /v1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    await peer.sends(head + b"0\r\nAuthorization: Bearer secret\r\n\r\n")
    assert peer.statuses() == [401]


async def test_an_ended_connection_leaves_no_garbage_to_be_collected(peer: Peer) -> None:
    """Else, of clients that connect for each request, collecting it took 6 % of the time."""
    connection, _ = peer.connect()
    gone = weakref.ref(connection)
    gc.disable()
    try:
        connection.data_received(SMALL)
        await peer.served()
        connection.connection_lost(None)
        peer.clock.alarms.clear()
        del connection
        assert gone() is None
    finally:
        gc.enable()
