"""Both HTTP clients against a far end that says anything: a reply as a value, always."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampgate.lab.kafka.ports import free_ports
from consumers.delivery.destination import Request, Response, Unreachable
from consumers.http.client import Http, sender_to
from consumers.http.http1 import Http1
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination
from tests.eventually import DEADLINE_SECONDS
from tests.examples import examples
from tests.unit.consumers.http.far_ends import (
    GOOD,
    OK,
    REQUEST,
    New,
    listening,
    replies,
)
from tests.unit.consumers.http.http1_ends import Say

REASONS = ("connect_failed", "timeout", "connection_broken", "invalid_reply")
INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\ncontent-length: 5\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\ncontent-length: 100\r\nretry-after: 9\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nlink: a\r\nlink: b\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nconnection: close\r\n\r\n" * 20,
]


@pytest.mark.parametrize("pieces", [0, 1, 7])
@pytest.mark.parametrize("interim", INTERIM)
async def test_an_interim_answer_has_no_body_and_is_not_the_answer(
    new: New, interim: bytes, pieces: int
) -> None:
    line = Say(interim + OK, pieces=pieces)
    assert await replies(new, line, line) == [GOOD, GOOD]


UNUSABLE = {
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nnull",
    "no number": b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nnull",
    "a header flood": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500_000 + b"\r\n",
    "an endless header": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 3_000_000,
    "an interim flood": b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 100_000,
    "an endless interim": b"HTTP/1.1 103 Early\r\nlink: " + b"x" * 3_000_000,
    "blank lines": b"\r\n" * 2_000_000,
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "half": b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\nnull",
    "half a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\nnull",
    "no chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnull",
    "no status": b"HTTP/1.1 000 OK\r\ncontent-length: 4\r\n\r\nnull",
    "nothing": b"",
}


@pytest.mark.parametrize("words", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_what_is_no_whole_answer_is_no_success_and_harms_no_other_request(
    new: New, words: bytes
) -> None:
    found = await replies(new, Say(words, then="close"), Say(OK))
    assert isinstance(found[0], Unreachable)
    assert found[0].reason in ("connection_broken", "invalid_reply")
    assert found[1] == GOOD


USABLE = {
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nnull",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 90 + b"content-length: 4\r\n\r\nnull",
    "odd bytes": b"HTTP/1.1 200 \xff\r\nretry-after: \xff\xfe\r\ncontent-length: 4\r\n\r\nnull",
}


@pytest.mark.parametrize("words", USABLE.values(), ids=USABLE.keys())
async def test_an_odd_answer_is_still_one(new: New, words: bytes) -> None:
    assert await replies(new, Say(words), Say(OK)) == [GOOD, GOOD]


async def test_a_body_without_a_length_ends_with_the_connection(new: New) -> None:
    assert (await replies(new, Say(b"HTTP/1.1 200 OK\r\n\r\nnull", then="close"))) == [GOOD]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_that_can_have_no_body_has_none(new: New, status: bytes) -> None:
    silent = Say(b"HTTP/1.1 %b\r\ncontent-length: 5\r\n\r\n" % status)
    assert await replies(new, silent, Say(OK)) == [Response(int(status[:3]), b""), GOOD]


async def test_a_refusal_of_what_is_not_sent_yet_is_heard(new: New) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with listening(refuse) as url, new(url) as client:
        large = Request("/v1/events", {}, b"x" * 20_000_000)
        assert await client.send(large) == Response(413, b"")


async def test_a_connection_that_breaks_under_a_request_may_have_carried_it_out(new: New) -> None:
    for then in ("close", "reset"):
        found = await replies(new, Say(b"", then=then))
        assert found == [Unreachable("connection_broken")]


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a" * 63 + ".invalid", "127.0.0.1"])
async def test_where_nobody_is_nothing_was_sent(new: New, name: str) -> None:
    [port] = free_ports(1)
    async with new(f"http://{name}:{port}") as client:
        assert await client.send(REQUEST) == Unreachable("connect_failed")


HEADS = st.lists(
    st.sampled_from(
        [
            *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 C\r\n", b"HTTP/1.0 500 x\r\n", b"\r\n"),
            *(b"content-length: 3\r\n", b"content-length: 0\r\n", b"Content-Length:\t9\r\n"),
            *(b"transfer-encoding: chunked\r\n", b"connection: close\r\n", b" folded\r\n"),
            *(
                b"3\r\nabc\r\n",
                b"0\r\n\r\n",
                b"abc",
                b"keep-alive: timeout=1e9\r\n",
                b"\n",
                b"\x00",
            ),
            *(b"retry-after: 1e400\r\n", b"content-encoding: br\r\n", b"date: x\r\n", b": \r\n"),
        ]
    )
    | st.binary(max_size=8),
    max_size=12,
).map(b"".join)


@settings(examples(150), suppress_health_check=list(HealthCheck))
@given(words=HEADS, pieces=st.integers(0, 3))
async def test_whatever_is_said_is_a_reply_and_the_next_request_gets_its_own(
    new: New, words: bytes, pieces: int
) -> None:
    found = await replies(new, Say(words, then="close", pieces=pieces), Say(OK))
    for reply in found:
        assert isinstance(reply, Response) or reply.reason in REASONS
    assert found[1] == GOOD or found[1] == Unreachable("connection_broken")


async def test_a_client_is_replaced_and_requests_in_flight_keep_theirs() -> None:
    slow, quick = asyncio.Event(), asyncio.Event()
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(connections)
        connections.append(number)
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(head.lower().rpartition(b"content-length: ")[2]))
            if number == 0:
                quick.set()
                await slow.wait()
            writer.write(OK)

    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        listening(serve) as url,
        Http(url, timeout_seconds=DEADLINE_SECONDS, age_seconds=0) as client,
    ):
        first = asyncio.create_task(client.send(REQUEST))
        await quick.wait()
        assert await client.send(REQUEST) == GOOD
        assert await client.send(REQUEST) == GOOD
        slow.set()
        assert await first == GOOD
    assert len(connections) == 3  # None was used twice: each was too old by then.


def test_one_record_a_request_goes_through_the_client_that_costs_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    one = AampeDestination.model_validate(
        {"name": "a", "type": "aampe", "region": "us-east1", "api_key": "k"}
    )
    many = AmplitudeDestination.model_validate({"name": "b", "type": "amplitude", "api_key": "k"})

    assert [type(sender_to(each)) for each in (one, many)] == [Http1, Http]
