"""Suppressed users in what was rejected: found wherever they are named, at a limited cost."""

import pytest

from gateway.dialects.shapes import LISTED_MAX, Batch, Rejection
from gateway.edge.suppression import (
    TURN_WORDS,
    WORDS_MAX,
    Suppressed,
    is_suppressed,
    without_suppressed,
    without_theirs,
)
from schemas.records import NewRecord
from schemas.strictness import Defect
from schemas.suppressions import NOBODY
from schemas.topics import Kind
from tests.unit.gateway.memory import KEY, Edge

ANN = Suppressed(frozenset({"ann"}), NOBODY)
WRONG = Defect("missing_id", "user_id", "neither user_id nor device_id")


class Looked:
    """What is left of rejected records, and after how many turns."""

    turns = 0

    async def at(self, *values: bytes) -> list[Rejection]:
        rejected = [Rejection(index, WRONG, value) for index, value in enumerate(values)]
        batch = await without_suppressed(Batch(rejected=rejected), ANN, Kind.EVENT, self._turn)
        return batch.rejected

    async def _turn(self) -> None:
        self.turns += 1


@pytest.mark.parametrize(
    "text",
    [
        *(b"a" * 2_000_000, b'\\"' * 1_000_000, b"a@" * 1_000_000, b"@" * 2_000_000),
        *(b'"' * 1_000_000, b"\\" * 1_000_001),
    ],
)
async def test_no_text_is_slow(text: bytes) -> None:
    [found] = await Looked().at(b'"' + text)
    assert not is_suppressed(found)


async def test_a_long_text_is_searched_in_turns() -> None:
    looked = Looked()
    [found] = await looked.at(b'["x",' * (10 * TURN_WORDS) + rb'"\u0061nn"')
    assert is_suppressed(found)
    assert found.value == b""
    assert looked.turns == 10


async def test_of_a_text_that_is_too_long_to_be_searched_nothing_is_kept() -> None:
    found = await Looked().at(b"[]", b"1," * WORDS_MAX, b"2", b'"ann"')
    assert [one.value for one in found] == [b"[]", b"1," * WORDS_MAX, b"", b""]
    assert [one.defect for one in found] == [WRONG] * 4


async def test_as_many_are_searched_as_an_answer_lists() -> None:
    found = await Looked().at(*[b"1"] * LISTED_MAX, b"2", b'"ann"')
    assert [one.value for one in found] == [b"1"] * LISTED_MAX + [b"", b""]


async def test_what_is_not_searched_is_counted_as_dropped() -> None:
    edge = Edge(suppressed_user_ids=["ann"])
    body = b'{"event_type":"a","x":[' + b'"a",' * WORDS_MAX + b"1]}"
    async with edge.client as client:
        answer = await client.post("/v1/events", content=body, headers=KEY)
    assert [one["reason"] for one in answer.json()["rejected"]] == ["missing_id"]
    assert edge.store.topics == {}
    dropped = b'ampgate_edge_dead_letters_dropped_total{source="shop"} 1.0'
    assert dropped in edge.ingest.metrics.exposition()


@pytest.mark.parametrize(
    ("key", "value", "kind", "stays"),
    [
        (b"bob", b'{"user_id":"bob"}', Kind.EVENT, True),
        (b"ann", b'{"user_id":"ann"}', Kind.EVENT, False),
        (b"ann", b'{"user_id":"ann"}', Kind.USER_PROPERTIES, False),
        (None, b'{"user_id":"ann","event_type":7}', None, False),
        (None, b'{"user_id":"bob","event_type":7}', None, True),
    ],
)
async def test_what_leaves_the_spool_is_of_nobody_suppressed(
    key: bytes | None, value: bytes, kind: Kind | None, stays: bool
) -> None:
    async def turn() -> None:
        """Nobody else has work."""

    record = NewRecord(key, value)
    assert await without_theirs([record], ANN, kind, turn) == ([record] if stays else [])
