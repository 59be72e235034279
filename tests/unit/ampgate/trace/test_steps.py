"""What happened to a record for one destination, in the order of time."""

from ampgate.trace.steps import steps_of
from ampgate.trace.whereabouts import State, whereabouts
from schemas.letters import LetterHeaders, Origin
from schemas.records import Stored, TopicPartition

ORIGIN = Origin(TopicPartition("ampgate.events", 2), 7)
RECORD = Stored("ampgate.events", 2, 7, 1_000_000, b"ann", b"{}", [("source", b"shop")])


def letter(at_ms: int, **more: str) -> Stored:
    headers = LetterHeaders(
        *("amplitude-us", "rejected", "no such plan", ORIGIN, 3, 1_010.0), status=400
    ).encoded(RECORD.headers)
    told = [*headers, *((name, text.encode()) for name, text in more.items())]
    return Stored("ampgate.dead-letters", 2, 4, at_ms, b"ann", b"{}", told)


def parked(at_ms: int, **more: str) -> Stored:
    said = LetterHeaders(
        *("amplitude-us", "daily_quota", "", ORIGIN, 1, 1_010.0), not_before=4_600.0
    )
    headers = [*said.encoded([]), *((name, text.encode()) for name, text in more.items())]
    return Stored("ampgate.parked", 2, 9, at_ms, b"ann", b"{}", headers)


def test_a_record_that_died_was_replayed_and_delivered_has_every_step() -> None:
    line = whereabouts(RECORD, "amplitude-us", State.DELIVERED, None)
    replayed = parked(1_300_000, replayed_at="1970-01-01T00:21:40.000Z")
    found = steps_of(RECORD, line, [letter(1_200_000)], [replayed, parked(1_100_000)])

    assert [(one.what, one.kind) for one in found] == [
        ("accepted from shop, stored at ampgate.events/2/7", "good"),
        ("failed for the first time", "warn"),
        ("parked until 1970-01-01T01:16:40.000Z: daily_quota", "warn"),
        ("died after 3 attempts: rejected, status 400", "bad"),
        ("sent again by an operator", "busy"),
        ("delivered", "good"),
    ]
    assert found[3].words == "no such plan"
    assert found[-1].at is None


def test_what_waits_says_why_and_until_when() -> None:
    line = whereabouts(RECORD, "a", State.WAITING, "throttled", "1970-01-01T00:20:00.000Z")

    assert steps_of(RECORD, line, [], [])[-1].what == (
        "waits until 1970-01-01T00:20:00.000Z: throttled"
    )
