"""Reading a body: its limits in bytes and in time."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.admission import Budget
from gateway.bodies import BodyError, ClientGone, Message, read_body


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


async def refusal(pieces: Pieces, *, length: str = "", limit: int = 100, room: int = 1_000) -> int:
    budget = Budget(room)
    assert budget.share().take(1)  # Somebody else's.
    headers = {b"content-length": length.encode()} if length else {}
    with pytest.raises(BodyError) as caught:
        await read_body(pieces, headers, limit, 0.01, budget.share())
    return caught.value.status


async def test_a_body_is_all_its_pieces_and_in_the_share() -> None:
    share = Budget(100).share()
    assert await read_body(Pieces(b"ab", b"", b"cd"), {}, 4, 1.0, share) == b"abcd"
    assert share.size == 4


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
        await read_body(gone, {}, 100, 1.0, Budget(100).share())
