"""The thin client against a far end that does whatever it is told, on both event loops."""

import asyncio
import gzip
import ssl
import zlib

import pytest
import trustme
import uvloop

from ampgate.lab.kafka.ports import free_ports
from consumers.delivery.destination import Reply, Request, Response, Unreachable
from consumers.http.http1 import Http1
from consumers.http.replies import BODY_BYTES_MAX
from tests.unit.consumers.http.http1_answers import LoopFactory, replies, run
from tests.unit.consumers.http.http1_ends import REQUEST, TIMEOUT_SECONDS, Ends, Say

ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 4\r\n\r\nnull"
CLOSING = b"HTTP/1.1 202 Accepted\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnull"
DELIVERED = Response(202, b"null")
BROKEN = Unreachable("connection_broken")
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def loops(request: pytest.FixtureRequest) -> LoopFactory:
    factory: LoopFactory = request.param
    return factory


def test_a_connection_is_kept_and_carries_one_request_after_the_other(loops: LoopFactory) -> None:
    assert replies(loops, *[Say(ACCEPTED)] * 5, sends=5) == ([DELIVERED] * 5, 1)


def test_the_request_is_plain_http(loops: LoopFactory) -> None:
    async def scenario() -> None:
        async with Ends(Say(ACCEPTED)) as ends:
            await ends.send()
        (request,) = ends.far.requests
        lines = request.split(b"\r\n")
        assert lines[0] == b"POST /v1/events HTTP/1.1"
        assert lines[1].startswith(b"host: 127.0.0.1:")
        assert {b"authorization: Bearer k", b"content-length: 2"} <= set(lines)
        assert request.endswith(b"\r\n\r\n{}")

    run(loops, scenario())


WHOLE = [
    Say(
        b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\nnu\r\n2\r\nll\r\n0\r\n\r\n"
    ),
    Say(
        b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n4\r\nnull\r\n0\r\n"
        b"content-encoding: gzip\r\nretry-after: 9\r\nserver-timing: x\r\n\r\n"
    ),
    Say(ACCEPTED, pieces=1),
    Say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + ACCEPTED),
    Say(ACCEPTED, then="half-close"),
    Say(ACCEPTED, then="close"),
    Say(CLOSING),
    Say(CLOSING + b"and more"),
    Say(ACCEPTED + b"and more"),
    Say(ACCEPTED + ACCEPTED),
    Say(b"HTTP/1.0 202 Accepted\r\ncontent-length: 4\r\n\r\nnull"),
    Say(b"HTTP/1.1 202 Accepted\r\n\r\nnull", then="close"),
]


@pytest.mark.parametrize("line", WHOLE)
def test_however_an_answer_is_written_it_is_read_and_the_next_request_gets_its_own(
    loops: LoopFactory, line: Say
) -> None:
    found, _ = replies(loops, line, Say(ACCEPTED.replace(b"202", b"200")), sends=2)
    assert found[0] == DELIVERED
    # What the far end closes in the very moment of sending may have been carried out: no reply.
    assert found[1] in (Response(200, b"null"), BROKEN)
    if line.words.startswith(CLOSING) or b"and more" in line.words:
        assert found[1] == Response(200, b"null")


def packed(encoding: bytes, body: bytes) -> Say:
    head = b"HTTP/1.1 202 Accepted\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n"
    return Say(head % (encoding, len(body)) + body)


@pytest.mark.parametrize(
    ("encoding", "body", "reply"),
    [
        (b"gzip", gzip.compress(b"null"), DELIVERED),
        (b"X-GZIP", gzip.compress(b"null") + b"and more", DELIVERED),
        (b"deflate", zlib.compress(b"null"), DELIVERED),
        (b"identity", b"null", DELIVERED),
        (b"rot13", b"null", DELIVERED),
        (b"gzip", b"", Response(202, b"")),
        (b"gzip", b"null", Unreachable("invalid_reply")),
        (b"gzip", gzip.compress(b"null" * 100)[:-9], Unreachable("invalid_reply")),
        (b"gzip", gzip.compress(b"\0" * 100_000_000, 1), Unreachable("invalid_reply")),
    ],
)
def test_a_compressed_answer_is_read_though_nobody_asked_for_it(
    loops: LoopFactory, encoding: bytes, body: bytes, reply: Reply
) -> None:
    found, _ = replies(loops, packed(encoding, body), Say(ACCEPTED), sends=2)
    assert found == [reply, DELIVERED]


HALF = b"HTTP/1.1 202 Accepted\r\ncontent-length: 400\r\n\r\nnull"
INVALID = Unreachable("invalid_reply")
SILENT = Unreachable("timeout")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (Say(b"", then="close"), BROKEN),
        (Say(b"", then="half-close"), BROKEN),
        (Say(b"", then="reset"), BROKEN),
        (Say(HALF, then="close"), BROKEN),
        (Say(HALF, then="reset"), BROKEN),
        (Say(b"HTTP/1.1 20"), SILENT),
        (Say(b""), SILENT),
        (Say(b"SSH-2.0-OpenSSH_9.6\r\n"), INVALID),
        (
            Say(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
            INVALID,
        ),
        (Say(b"HTTP/1.1 202 Accepted\r\ncontent-length: -1\r\n\r\n"), INVALID),
        (Say(b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"), INVALID),
        (Say(b"HTTP/1.1 202 Accepted\r\n" + b"x: y\r\n" * 500_000), INVALID),
    ],
)
def test_what_is_no_answer_says_why_and_the_next_request_is_answered(
    loops: LoopFactory, line: Say, reply: Unreachable
) -> None:
    timeout_seconds = 1.0 if reply == SILENT else TIMEOUT_SECONDS
    found = replies(loops, line, Say(ACCEPTED), sends=2, timeout_seconds=timeout_seconds)
    assert found == ([reply, DELIVERED], 2)


def test_an_endless_body_is_cut(loops: LoopFactory) -> None:
    endless = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 90000000\r\n\r\n" + b"x" * 3_000_000
    found, connections = replies(loops, Say(endless), Say(ACCEPTED), sends=2)
    assert found == [Response(400, b"x" * BODY_BYTES_MAX), DELIVERED]
    assert connections == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(b"5", 5.0), (b"0.5", 0.5), (b"Wed, 21 Oct 2015 07:28:00 GMT", 0.0), (b"soon", None)],
)
def test_retry_after_is_read(loops: LoopFactory, header: bytes, seconds: float | None) -> None:
    answer = b"HTTP/1.1 429 Too Many\r\nRetry-After: %b\r\ncontent-length: 0\r\n\r\n" % header
    found, _ = replies(loops, Say(answer), Say(ACCEPTED), sends=2)
    assert found == [Response(429, b"", seconds), DELIVERED]


def test_requests_at_the_same_time_have_connections_of_their_own(loops: LoopFactory) -> None:
    async def scenario() -> None:
        async with Ends(*[Say(ACCEPTED)] * 20) as ends:
            for _ in range(2):
                found = await asyncio.gather(*[ends.send() for _ in range(10)])
                assert found == [DELIVERED] * 10
            assert ends.far.connections == 10

    run(loops, scenario())


def test_an_answer_that_comes_too_late_meets_no_other_request(loops: LoopFactory) -> None:
    async def scenario() -> None:
        async with Ends(Say(b""), Say(ACCEPTED)) as ends:
            sending = asyncio.create_task(ends.send())
            await ends.far.has_heard.wait()
            sending.cancel()
            assert (await asyncio.gather(sending, return_exceptions=True))[0] is not None
            assert await ends.send() == DELIVERED
            assert ends.far.connections == 2

    run(loops, scenario())


def test_a_refusal_before_the_body_was_read_is_heard(loops: LoopFactory) -> None:
    async def scenario() -> None:
        too_large = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"
        async with Ends(Say(too_large, unasked=True), Say(ACCEPTED)) as ends:
            large = Request("/v1/events", {}, b"x" * 5_000_000)
            assert await ends.send(large) == Response(413, b"")
            assert await ends.send() == DELIVERED
            assert ends.far.connections == 2

    run(loops, scenario())


def test_a_success_before_the_request_was_sent_is_none(loops: LoopFactory) -> None:
    async def scenario() -> None:
        async with Ends(Say(ACCEPTED, unasked=True), Say(ACCEPTED)) as ends:
            large = Request("/v1/events", {}, b"x" * 50_000_000)
            assert await ends.send(large) == INVALID
            assert await ends.send() == DELIVERED
            assert ends.far.connections == 2

    run(loops, scenario())


def test_where_nobody_listens_nothing_was_sent(loops: LoopFactory) -> None:
    async def scenario() -> None:
        [port] = free_ports(1)
        async with Http1(f"http://127.0.0.1:{port}", timeout_seconds=TIMEOUT_SECONDS) as client:
            assert await client.send(REQUEST) == Unreachable("connect_failed")

    run(loops, scenario())


def test_a_connection_closed_while_idle_is_not_used_again(loops: LoopFactory) -> None:
    async def scenario() -> None:
        async with Ends(Say(ACCEPTED), Say(ACCEPTED)) as ends:
            assert await ends.send() == DELIVERED
            (connection,) = ends.client._open
            connection.look_at_clock(asyncio.get_running_loop().time() + 4.5)
            assert await ends.send() == DELIVERED
            assert ends.far.connections == 2

    run(loops, scenario())


def test_only_a_trusted_certificate_is_spoken_to(loops: LoopFactory) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def scenario() -> None:
        async with Ends(*[Say(ACCEPTED)] * 3, server_tls=server, client_tls=trusting) as ends:
            assert [await ends.send() for _ in range(3)] == [DELIVERED] * 3
            assert ends.far.connections == 1
        async with Ends(Say(ACCEPTED), server_tls=server) as ends:
            assert await ends.send() == Unreachable("connect_failed")

    run(loops, scenario())
