"""Reading a body: its limits in bytes and in time."""

import asyncio
import gzip
import random
from collections.abc import Callable, Iterator

import brotli
import pytest
import zstandard

from gateway.edge.admission import Budget
from gateway.http.bodies import BodyError, ClientGone, Message, read_body
from schemas.configuration.config import Edge


class Pieces:
    """A client that sends these, and then nothing more."""

    def __init__(self, *pieces: bytes, complete: bool = True) -> None:
        last = len(pieces) - 1
        self._messages: Iterator[Message] = iter(
            {"type": "http.request", "body": piece, "more_body": not (complete and i == last)}
            for i, piece in enumerate(pieces)
        )

    async def __call__(self) -> Message:
        for message in self._messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError("nothing comes any more")


async def gone() -> Message:
    return {"type": "http.disconnect"}


def edge(limit: int) -> Edge:
    return Edge(max_body_bytes=limit, body_timeout_seconds=0.01)


async def refusal(
    pieces: Pieces,
    *,
    length: str = "",
    limit: int = 100,
    room: int = 1_000,
    encoding: bytes | None = None,
) -> int:
    budget = Budget(room)
    assert budget.share().take(1)  # Somebody else's.
    headers = {b"content-length": length.encode()} if length else {}
    if encoding is not None:
        headers[b"content-encoding"] = encoding
    with pytest.raises(BodyError) as caught:
        await read_body(pieces, headers, edge(limit), budget.share())
    return caught.value.status


async def test_a_body_is_all_its_pieces_and_in_the_share() -> None:
    share = Budget(100).share()
    assert await read_body(Pieces(b"ab", b"", b"cd"), {}, edge(4), share) == b"abcd"
    assert share.size == 4


async def test_a_mark_of_the_byte_order_is_passed_over() -> None:
    body = await read_body(Pieces(b"\xef\xbb", b"\xbf{}"), {}, edge(9), Budget(100).share())
    assert body == b"{}"


async def test_a_slow_body_is_a_408() -> None:
    assert await refusal(Pieces(b"ab", complete=False)) == 408
    assert await refusal(Pieces(complete=False)) == 408


async def test_too_large_a_body_is_a_413_as_soon_as_it_is_known() -> None:
    nothing = Pieces(complete=False)
    assert await refusal(nothing, length="101") == 413
    assert await refusal(nothing, length="9" * 30) == 413
    assert await refusal(Pieces(b"x" * 60, b"x" * 60, complete=False)) == 413
    assert await refusal(Pieces(b"x" * 101)) == 413


async def test_without_room_a_body_is_a_503_as_soon_as_it_is_known() -> None:
    assert await refusal(Pieces(complete=False), length="60", room=50) == 503
    assert await refusal(Pieces(b"x" * 60, complete=False), room=50) == 503
    assert await refusal(Pieces(b"x" * 30, b"x" * 30, complete=False), room=50) == 503


async def test_a_client_that_left_is_not_answered() -> None:
    with pytest.raises(ClientGone):
        await read_body(gone, {}, edge(100), Budget(100).share())


async def test_an_unknown_encoding_is_a_415_before_the_body_is_read() -> None:
    for encoding in (b"compress", b"gzip, br, zstd"):
        assert await refusal(Pieces(complete=False), encoding=encoding) == 415


@pytest.mark.parametrize("pack", [gzip.compress, brotli.compress, zstandard.compress])
async def test_a_short_body_becomes_a_megabyte_at_most(pack: Callable[[bytes], bytes]) -> None:
    encoding = {gzip.compress: b"gzip", brotli.compress: b"br"}.get(pack, b"zstd")
    most, large = pack(bytes(1_000_000)), pack(bytes(1_000_001))
    headers = {b"content-encoding": encoding}
    share = Budget(64_000_000).share()

    assert await read_body(Pieces(most), headers, Edge(), share) == bytes(1_000_000)
    assert share.size == 1_000_000
    assert await refusal(Pieces(large), limit=20_000_000, room=2**26, encoding=encoding) == 413


async def test_a_body_is_refused_while_it_grows_over_the_budget() -> None:
    """The rest of it is never made: what was charged is what came out so far."""
    budget = Budget(5_000_000)
    assert budget.share().take(3_000_000)
    share = budget.share()
    body = gzip.compress(bytes(10_000_000))
    with pytest.raises(BodyError) as caught:
        await read_body(
            Pieces(body), {b"content-encoding": b"gzip"}, Edge(max_expansion=1_000), share
        )
    assert caught.value.status == 503
    assert 1_000_000 < share.size < 2_100_000


async def test_a_long_body_is_unpacked_whole() -> None:
    plain = random.Random(1).randbytes(3_000_000)
    headers = {b"content-encoding": b"gzip"}
    share = Budget(64_000_000).share()
    assert await read_body(Pieces(gzip.compress(plain)), headers, Edge(), share) == plain
    assert share.size == len(plain)
