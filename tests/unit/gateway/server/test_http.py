"""The edge on a real socket: whatever HTTP comes, it is answered in a way that SDKs can read."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from tests.eventually import DEADLINE_SECONDS
from tests.loopback import hang_up
from tests.unit.gateway.memory import EVENT, Edge
from tests.unit.gateway.server.http_client import (
    AUTH,
    BODY,
    Client,
    request,
    serving,
    talking,
)


@pytest.fixture
async def edge() -> Edge:
    return Edge(max_body_bytes=1_000_000, body_timeout_seconds=3600)


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[Client]:
    async with serving(edge) as port, talking(port) as client:
        yield client


async def test_pipelined_requests_are_answered_in_their_order(client: Client, edge: Edge) -> None:
    requests = [request(json.dumps(EVENT | {"n": n}).encode()) for n in range(50)]
    await client.send(b"".join([*requests, request(b"{"), request()]))
    statuses = [(await client.answer()).status for _ in range(52)]
    assert statuses == [202] * 50 + [400, 202]
    assert [value.get("n") for value in edge.store.values("events")] == [*range(50), None]


async def test_http_1_0_is_answered_and_closed(client: Client) -> None:
    await client.send(request(version=b"1.0"))
    assert (await client.answer()).status == 202
    assert await client.ended()


async def test_a_client_may_close_its_side_after_a_request(edge: Edge) -> None:
    edge.store.open.clear()
    async with serving(edge) as port, talking(port) as client, talking(port) as other:
        await client.send(request())
        client.sends_no_more()
        await other.send(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert (await other.answer()).status == 200  # So all that was sent before is read.
        edge.store.open.set()
        answer = await client.answer()
        assert answer.status == 202
        assert answer.headers["connection"] == "close"
        assert await client.ended()


async def test_chunks_may_have_extensions_and_trailers(client: Client, edge: Edge) -> None:
    head = b"POST /v1/events HTTP/1.1\r\n" + AUTH + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = [b"%x;a=b\r\n%b\r\n" % (1, BODY[i : i + 1]) for i in range(len(BODY))]
    await client.send(head, *chunks, b"0\r\nX-Checksum: 1\r\nX-More: 2\r\n\r\n", request())
    assert [(await client.answer()).status for _ in range(2)] == [202, 202]
    assert edge.store.values("events") == [EVENT, EVENT]


@pytest.mark.parametrize("content_type", [b"", b"text/plain", b"a/b;;=", b"\xff"])
async def test_the_content_type_may_be_anything(client: Client, content_type: bytes) -> None:
    await client.send(request(head=b"Content-Type: " + content_type + b"\r\n"))
    assert (await client.answer()).status == 202


async def test_a_head_request_has_no_body(client: Client) -> None:
    await client.send(b"HEAD /v1/events HTTP/1.1\r\n" + AUTH + b"\r\n", request())
    assert (await client.answer(bodiless=True)).status == 405
    assert (await client.answer()).status == 202


@pytest.mark.parametrize(
    ("codings", "status"),
    [
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
        (b"Transfer-Encoding: Chunked\r\n", 202),
    ],
)
async def test_a_transfer_encoding_that_is_not_undone_is_a_501(
    client: Client, edge: Edge, codings: bytes, status: int
) -> None:
    head = b"POST /v1/events HTTP/1.1\r\n" + AUTH + codings + b"\r\n"
    await client.send(head, b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
    assert (await client.answer()).status == status
    assert len(edge.store.values("events")) == (status == 202)


async def test_an_offer_of_http_2_is_passed_over(client: Client) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    await client.send(request(head=offer), request(), request(head=offer)[:-10])
    assert [(await client.answer()).status for _ in range(2)] == [202, 202]
    await client.send(request()[-10:])
    assert (await client.answer()).status == 202
    await client.send(b"GET /healthz HTTP/1.1\r\n" + offer + b"\r\n", request())
    assert [(await client.answer()).status for _ in range(2)] == [200, 202]


@pytest.mark.parametrize(
    ("version", "connection"), [(b"1.1", b"close, Upgrade"), (b"1.0", b"Upgrade")]
)
async def test_an_offer_that_closes_is_the_last_request(
    client: Client, version: bytes, connection: bytes
) -> None:
    offer = b"Connection: %b\r\nUpgrade: h2c\r\n" % connection
    await client.send(request(head=offer, version=version), request())
    answer = await client.answer()
    assert (answer.status, answer.headers["connection"]) == (202, "close")
    assert await client.ended()


async def test_less_body_than_promised_is_a_408() -> None:
    edge = Edge(body_timeout_seconds=0.3)
    async with serving(edge) as port, talking(port) as client:
        await client.send(request(length=len(BODY) + 5))
        answer = await client.answer()
        assert (answer.status, json.loads(answer.body)["code"]) == (408, 408)
        assert await client.ended()
    assert (edge.store.topics, edge.ingest.budget.used) == ({}, 0)


async def test_more_body_than_promised_is_a_400_after_its_request(client: Client) -> None:
    await client.send(request(BODY + b"junk junk junk\r\n\r\n", length=len(BODY)))
    assert (await client.answer()).status == 202
    assert await client.ended()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS.
        b"GET\r\n\r\n",
        b"CONNECT other.example:443 HTTP/1.1\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /\xff\xfe HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_400_in_json(client: Client, sent: bytes) -> None:
    await client.send(sent)
    answer = await client.answer()
    assert (answer.status, json.loads(answer.body)["code"]) == (400, 400)
    assert answer.headers["content-type"] == "application/json"
    assert await client.ended()


@pytest.mark.parametrize(
    "flood", [b"X-N: v\r\n", b"a" * 100], ids=["of headers", "of one header's name"]
)
async def test_a_flood_of_headers_is_a_431(client: Client, flood: bytes) -> None:
    with pytest.raises(ConnectionError):
        await client.flood(b"POST /v1/events HTTP/1.1\r\n", flood * 500)
    assert await client.ended()


async def test_a_flood_of_trailers_ends(client: Client) -> None:
    head = b"POST /v1/events HTTP/1.1\r\n" + AUTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    with pytest.raises(ConnectionError):
        await client.flood(head, b"X-N: v\r\n" * 500)


async def test_a_refused_body_can_be_sent_to_its_end_and_the_answer_be_read(
    client: Client,
) -> None:
    await client.send(request(b"x" * 5_000_000), request())
    assert [(await client.answer()).status for _ in range(2)] == [413, 202]


@pytest.mark.parametrize("size", [100, 1_000_000])
async def test_a_connection_goes_on_after_an_encoding_that_is_not_undone(
    client: Client, edge: Edge, size: int
) -> None:
    """Its body is answered before it is read, and then passed over."""
    unknown = request(b"x" * size, head=b"Content-Encoding: compress\r\n")
    await client.send(unknown)
    assert (await client.answer()).status == 415
    await client.send(request())
    assert (await client.answer()).status == 202
    assert edge.ingest.budget.used == 0


async def test_a_request_that_comes_at_a_shutdown_is_answered_as_the_last(edge: Edge) -> None:
    async with contextlib.AsyncExitStack() as stack:
        serving_edge = serving(edge)
        port = await serving_edge.__aenter__()
        used = await stack.enter_async_context(talking(port))
        fresh = await stack.enter_async_context(talking(port))
        await used.send(request())
        assert "connection" not in (await used.answer()).headers
        ending = asyncio.create_task(serving_edge.__aexit__(None, None, None))
        await refused(port)
        for client in (used, fresh):
            await client.send(request())
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (202, "close")
            assert await client.ended()
        await ending


async def refused(port: int) -> None:
    """Return once nobody listens there any more."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        with contextlib.suppress(ConnectionError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                await hang_up(writer)
