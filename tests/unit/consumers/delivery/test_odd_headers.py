"""No headers, in any topic, make the engine raise, or wait for longer than its limit."""

from random import Random

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.delivery.parking import unparked
from consumers.destinations.amplitude.events import AmplitudeEvents
from schemas.letters import LetterHeaders
from schemas.records import Headers, source_of
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

NOW = 1_763_715_600.0
NAMES = ["destination", "reason", "detail", "status", "origin", "attempts", "first_failed_at"]
NAMES += ["not_before", "accepted_at", "source", "traceparent", ""]
DIGITS = "9" * 5000
texts = st.sampled_from(
    [
        *(
            "a",
            "events/0/3",
            "events/0/0",
            "events/7/3",
            f"events/{DIGITS}/1",
            f"events/0/{DIGITS}",
        ),
        *(
            DIGITS,
            "-1",
            "٣",
            "²",
            "0",
            "throttled",
            "NaN",
            "inf",
            "events/-1/3",
            "//",
            "parked/0/0",
        ),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01", "2025-W01"),
        *("9999-12-31T23:59:59.999Z", "2025-11-21T10:00:00", "2025-11-21T10:00:00+99:99"),
    ]
)
values = st.none() | st.binary(max_size=40) | texts.map(str.encode)
headers = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8)
OURS: Headers = [("destination", b"a"), ("origin", b"events/0/3")]
EVENT = b'{"event_type":"e","user_id":"u","time":1}'


def owner() -> Delivery:
    config = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("k"))
    return Delivery(
        AmplitudeEvents(config),
        topic="events",
        parked_topic="parked",
        memory_max_bytes=1_000_000,
        random=Random(1),
    )


@given(headers)
@example([("attempts", DIGITS.encode())])
@example([("source", None)])
def test_headers_that_cannot_be_read_count_as_absent(found: Headers) -> None:
    record = Kept("parked", 0, 0, b"u", EVENT, None, headers=found)

    original, letter = unparked(record)
    assert original.value == EVENT
    assert LetterHeaders.decoded(letter.encoded(original.headers)).attempts == letter.attempts
    assert isinstance(source_of(record), str)


@given(st.lists(headers, min_size=1, max_size=4), st.sampled_from([EVENT, b"{", None]))
def test_parked_records_whose_headers_lie_are_delivered_dead_or_somebody_elses(
    found: list[Headers], value: bytes | None
) -> None:
    delivery = owner()
    parked = [
        Kept("parked", 0, n, b"u", value, None, headers=[*OURS, *one])
        for n, one in enumerate(found)
    ]
    delivery.scan(parked, NOW)
    delivery.accept([Kept("events", 0, n, b"u", EVENT, None) for n in range(5)], NOW)

    for now in (NOW, NOW + 10, NOW + 100_000, NOW + 200_000, NOW + 300_000):
        drive(delivery, parked, now)
    assert delivery.snapshot().unsettled == 0


def drive(delivery: Delivery, parked: list[Kept], now: float) -> None:
    """Everything is delivered, written to the dead letters, or parked and read at once."""
    for _ in range(100):
        if (place := delivery.wants(now)) is not None:
            first = delivery.wanted_from(place.partition)
            delivery.load([one for one in parked if one.offset >= first], now)
        while letter := delivery.next_dead_letter():
            delivery.dead_lettered(letter)
        while letter := delivery.next_parking():
            delivery.parked([letter])
            record = letter.entry.record
            ours = LetterHeaders("a", "parked", "", None, 1, now, not_before=now)
            found = [*ours.encoded(()), ("origin", f"events/0/{record.offset}".encode())]
            again = Kept("parked", 0, len(parked), record.key, record.value, None, headers=found)
            parked.append(again)
            delivery.scan(parked[-1:], now)
        batch = delivery.next_batch(now)
        if batch is not None:
            delivery.settle(batch, Response(200, b'{"code":200}'), now)
