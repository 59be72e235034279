"""What Kafka has, and what that says of a record."""

import json
from collections.abc import Sequence

import pytest

from ampgate.trace.whereabouts import Evidence, Progress, State, locate
from consumers.delivery.destination import Encoded
from consumers.destinations.aampe.events import AampeEvents
from consumers.destinations.amplitude.events import AmplitudeEvents
from consumers.kafka.commit_notes import decoded
from schemas.records import Record, Stored
from schemas.vendors.aampe import AampeDestination
from schemas.vendors.amplitude import AmplitudeDestination

AMPLITUDE = AmplitudeEvents(
    AmplitudeDestination.model_validate({"name": "us", "type": "amplitude", "api_key": "k"})
)
AAMPE = AampeEvents(
    AampeDestination.model_validate(
        {"name": "aampe", "type": "aampe", "region": "us-east1", "api_key": "k"}
    )
)
RECORD = Stored("ampgate.events", 0, 100, 1, None, b'{"event_type":"x","device_id":"d"}', [])


def about(offset: int, **headers: str) -> Stored:
    """A dead letter or a parked record of `RECORD`."""
    return Stored("t", 0, offset, 1, None, b"", [(k, v.encode()) for k, v in headers.items()])


def evidence(
    committed: int | None = None,
    metadata: object = None,
    letters: Sequence[Stored] = (),
    parked: Sequence[Stored] = (),
    parked_committed: int | None = None,
    *,
    is_read: bool = True,
) -> Evidence:
    progress = None
    if committed is not None:
        progress = Progress(committed, decoded(json.dumps(metadata), committed), is_read)
    parked_progress = {} if parked_committed is None else {0: Progress(parked_committed, None)}
    return Evidence(progress, letters, parked, parked_progress)


@pytest.mark.parametrize(
    ("expected", "known"),
    [
        (State.UNREAD, evidence()),
        (State.UNREAD, evidence(100)),
        (State.DELIVERED, evidence(101)),
        (State.UNREAD, evidence(50, {"committed": 50, "read": 100, "unsettled": [0, 50]})),
        (State.WAITING, evidence(50, {"committed": 50, "read": 101, "unsettled": [0, 11, 38, 2]})),
        (State.DELIVERED, evidence(50, {"committed": 50, "read": 101, "unsettled": [0, 11]})),
        (State.UNREAD, evidence(50, {"committed": 50, "read": 100, "unsettled": [0, 11]})),
        (State.UNREAD, evidence(100, "words of another tool")),
        (State.DEAD, evidence(50, letters=[about(1)])),
        (State.WAITING, evidence(101, parked=[about(7)])),
        (State.WAITING, evidence(101, parked=[about(7)], parked_committed=7)),
        (State.DELIVERED, evidence(101, parked=[about(7)], parked_committed=8)),
        (State.DELIVERED, evidence(50, parked=[about(7)], parked_committed=8)),
        (State.DEAD, evidence(101, letters=[about(1)], parked=[about(7)], parked_committed=8)),
    ],
)
def test_the_commits_and_letters_tell_the_state(expected: State, known: Evidence) -> None:
    assert locate(RECORD, AMPLITUDE, known).state == expected


def test_of_several_replays_the_last_one_counts() -> None:
    first, second = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"
    died = [about(1), about(2, replayed_at=first)]
    replayed = [about(7, replayed_at=first), about(9, replayed_at=second)]

    known = evidence(101, letters=died, parked=replayed, parked_committed=9)
    assert locate(RECORD, AMPLITUDE, known).state == State.WAITING
    known = evidence(101, letters=died, parked=replayed, parked_committed=10)
    assert locate(RECORD, AMPLITUDE, known).state == State.DELIVERED
    died.append(about(3, replayed_at=second, reason="invalid_field"))
    known = evidence(101, letters=died, parked=replayed, parked_committed=10)
    assert locate(RECORD, AMPLITUDE, known).reason == "invalid_field"


@pytest.mark.parametrize(
    ("expected", "known"),
    [
        (State.UNREAD, evidence(100)),
        (State.SKIPPED, evidence(101)),
        (State.SKIPPED, evidence(50, {"committed": 50, "read": 101, "unsettled": [0, 51]})),
    ],
)
def test_what_a_destination_has_no_use_for_is_skipped_once_read(
    expected: State, known: Evidence
) -> None:
    assert locate(RECORD, AAMPE, known).state == expected


def test_an_unusable_record_is_dead_though_its_letter_has_expired() -> None:
    found = locate(
        Stored("ampgate.events", 0, 100, 1, None, b"not json", []), AMPLITUDE, evidence(101)
    )
    assert (found.state, found.reason) == (State.DEAD, "not_json")


def test_what_a_paused_destination_keeps_waits_for_its_reason() -> None:
    known = evidence(
        50, {"committed": 50, "read": 101, "unsettled": [0, 51], "paused": "status_401"}
    )
    told = locate(RECORD, AMPLITUDE, known)

    assert (told.state, told.reason) == (State.WAITING, "status_401")


@pytest.mark.parametrize("paused", [None, "status_401"])
@pytest.mark.parametrize("read_to", [100, 101])
def test_what_no_delivery_reads_waits_for_nothing_else(paused: str | None, read_to: int) -> None:
    """Nothing is in flight, nothing goes on before it, and a pause is one that has ended."""
    left = {"committed": 50, "read": read_to, "unsettled": [0, read_to - 50]}
    told = locate(RECORD, AMPLITUDE, evidence(50, left | {"paused": paused}, is_read=False))

    assert told.state == (State.UNREAD if read_to == 100 else State.WAITING)
    assert told.reason == "no_delivery_now"


class Failing:
    """A destination of which our own code cannot read a record."""

    def __init__(self) -> None:
        self.name, self.kind = AMPLITUDE.name, AMPLITUDE.kind
        self.limits, self.merge = AMPLITUDE.limits, AMPLITUDE.merge
        self.request, self.verdict = AMPLITUDE.request, AMPLITUDE.verdict

    def encode(self, record: Record) -> Encoded:
        raise RecursionError


@pytest.mark.parametrize(
    "metadata", [None, {"committed": 50, "read": 101, "unsettled": [0, 11, 38, 2]}]
)
def test_a_record_that_our_code_cannot_handle_ends_no_trace(metadata: object) -> None:
    """The delivery makes a dead letter of it, and goes on."""
    assert locate(RECORD, Failing(), evidence(101, metadata)).state in (State.DEAD, State.WAITING)
