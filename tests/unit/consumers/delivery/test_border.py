"""Whatever a destination raises concerns one record or one answer, and nobody else."""

from collections.abc import Sequence
from random import Random

import pytest

from consumers.delivery.border import UNPROCESSABLE
from consumers.delivery.border import request as request_of
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Encoded, Limits, Merge, Request, Response, Unsendable
from consumers.delivery.lanes import Letter
from consumers.delivery.outcomes import Delivered, Reject, Retry, Skip, Verdict
from schemas.records import Record
from schemas.topics import Kind
from tests.simulation.log import Kept

NOW = 1000.0
ODD = b"odd"
ERRORS = [
    ValueError("not this one"),
    RecursionError(),
    OverflowError("inf"),
    KeyError("x"),
    MemoryError(),
]


class Raising:
    """A destination that raises in one place, for the records of the key `odd` or for all."""

    name = "raising"
    kind = Kind.EVENT
    limits = Limits(records=100, bytes=10_000, linger_seconds=0.0, concurrency=4, one_per_key=True)

    def __init__(self, place: str, error: Exception) -> None:
        self._place = place
        self._error = error
        self.merge: Merge | None = self._merged

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        key = record.key or b""
        if self._place == "encode" and key == ODD:
            raise self._error
        return Encoded(key, key.decode())

    def request(self, batch: Sequence[Encoded]) -> Request:
        if self._place == "request" and any(one.body == ODD for one in batch):
            raise self._error
        return Request("/", {}, b"")

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        if response.status == 200:
            return Verdict(Delivered())
        if self._place == "verdict":
            raise self._error
        return Verdict(Retry("status_529"), {len(batch): Reject("stranger")})

    def _merged(self, first: Encoded, later: Encoded) -> Encoded | None:
        if self._place == "merge":
            raise self._error
        return None


def engine(destination: Raising) -> Delivery:
    return Delivery(
        destination,
        topic="events",
        parked_topic="parked",
        memory_max_bytes=1_000_000,
        random=Random(1),
    )


def record(offset: int, key: bytes) -> Kept:
    return Kept("events", 0, offset, key, b"{}", "")


def delivered(delivery: Delivery, destination: Raising) -> tuple[list[bytes], list[Letter]]:
    """All is sent and answered with success; what arrived, and what died."""
    arrived: list[bytes] = []
    letters: list[Letter] = []
    while batch := delivery.next_batch(NOW):
        request = request_of(destination, batch.encoded)
        if isinstance(request, Unsendable):
            delivery.settle(batch, request, NOW)
        else:
            arrived += [one.body for one in batch.encoded]
            delivery.settle(batch, Response(200, b""), NOW)
    while letter := delivery.next_dead_letter():
        letters.append(letter)
        delivery.dead_lettered(letter)
    return arrived, letters


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", ["encode", "request"])
def test_a_record_that_cannot_be_made_is_dead_and_the_others_are_delivered(
    place: str, error: Exception
) -> None:
    destination = Raising(place, error)
    delivery = engine(destination)
    keys = [b"a", b"b", ODD, b"c", b"d", b"e"]
    delivery.accept([record(offset, key) for offset, key in enumerate(keys)], NOW)

    arrived, letters = delivered(delivery, destination)
    assert sorted(arrived) == [b"a", b"b", b"c", b"d", b"e"]
    assert [(one.entry.offset, one.reason) for one in letters] == [(2, UNPROCESSABLE)]
    assert letters[0].detail == f"{type(error).__name__}: {error}"
    assert (delivery.snapshot().unsettled, delivery.paused) == (0, None)


def test_a_merge_that_raises_is_no_merge() -> None:
    destination = Raising("merge", ValueError())
    delivery = engine(destination)
    delivery.accept([record(0, b"a"), record(1, b"a")], NOW)

    arrived, letters = delivered(delivery, destination)
    assert (arrived, letters) == ([b"a", b"a"], [])


@pytest.mark.parametrize(
    ("place", "reason"), [("verdict", "unreadable_answer"), ("", "impossible_answer")]
)
def test_an_answer_that_cannot_be_judged_is_a_retry(place: str, reason: str) -> None:
    destination = Raising(place, ValueError())
    delivery = engine(destination)
    delivery.accept([record(0, b"a")], NOW)
    batch = delivery.next_batch(NOW)
    assert batch is not None

    verdict = delivery.settle(batch, Response(400, b"?"), NOW)
    assert verdict == Verdict(Retry(reason))
    assert delivery.snapshot().unsettled == 1


def test_an_exception_that_cannot_say_what_it_is_is_named_by_its_kind() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError

    destination = Raising("encode", MuteError())
    delivery = engine(destination)
    delivery.accept([record(0, ODD)], NOW)

    letter = delivery.next_dead_letter()
    assert letter is not None
    assert letter.detail == "MuteError"
