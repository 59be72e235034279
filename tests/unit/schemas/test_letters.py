"""The headers of dead and parked records."""

import tracemalloc

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.letters import DETAIL_BYTES_MAX, LetterHeaders, Origin, waiting
from schemas.records import TopicPartition

LAST_MILLISECOND = 253_402_300_799_999  # Of the year 9999.


@given(st.integers(-1, 2**63 - 1))
@example(1_763_715_600_123)
@example(1_763_715_600_123_456)  # Microseconds, by mistake.
def test_when_a_record_was_accepted_comes_back_if_a_date_can_tell_it(timestamp: int) -> None:
    letter = LetterHeaders("aampe-us", "throttled", "", None, 1, 0.0, timestamp / 1000)

    found = LetterHeaders.decoded(letter.encoded(()))
    assert found.accepted_at is not None
    assert round(found.accepted_at * 1000) == min(timestamp, LAST_MILLISECOND)


@given(st.integers(0, DETAIL_BYTES_MAX), st.sampled_from(["é", "€", "😀", "\ud800", "x"]))
@example(DETAIL_BYTES_MAX - 1, "\ufffd")  # As bytes that are no UTF-8 become.
def test_long_words_are_cut_between_two_characters(before: int, character: str) -> None:
    said = "x" * before + character * DETAIL_BYTES_MAX
    letter = LetterHeaders("aampe-us", "rejected", said, None, 1, 0.0)

    detail = dict(letter.encoded(()))["detail"]
    assert detail is not None
    assert DETAIL_BYTES_MAX - 4 < len(detail) <= DETAIL_BYTES_MAX
    assert said.encode(errors="replace").startswith(detail)
    assert detail.decode()


ADDRESSES = [None, b"", b"a", b"aa", b"events/0/1", b"events/x/1", b"/events/0/1", b"event/0/1"]
WORDS = st.sampled_from([None, b"", b"throttled", b"2026-01-02T03:04:05.678Z", b"\xff", b"9" * 60])
HEADERS = st.lists(
    st.tuples(st.sampled_from(["destination", "origin", "source"]), st.sampled_from(ADDRESSES))
    | st.tuples(st.sampled_from(["reason", "not_before", "parked_at", "accepted_at"]), WORDS),
    max_size=8,
)


@given(HEADERS)
def test_how_a_letter_of_a_destination_and_topic_waits_is_what_its_headers_say(
    headers: list[tuple[str, bytes | None]],
) -> None:
    letter = LetterHeaders.decoded(headers)
    topic = None if letter.origin is None else letter.origin.place.topic

    is_ours = letter.destination == "a" and topic == "events"
    found = waiting(headers, b"a", "events")
    if not is_ours:
        assert found is None
    else:
        assert found is not None
        assert (found.origin, found.reason) == (letter.origin, letter.reason)
        assert (found.not_before, found.parked_at) == (letter.not_before, letter.parked_at)
        assert found.accepted_at == letter.accepted_at


def test_a_letter_to_another_destination_or_of_another_topic_is_none_of_ours() -> None:
    place = TopicPartition("events", 0)
    headers = LetterHeaders("a", "throttled", "", Origin(place, 1), 1, 0.0).encoded(())

    assert waiting(headers, b"a", "events") is not None
    assert waiting(headers, b"b", "events") is None
    assert waiting(headers, b"a", "event") is None


def test_nothing_is_kept_of_long_texts_where_a_producer_should_have_written_times() -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            headers = LetterHeaders.decoded([("not_before", b"%d" % number * 100_000)])
            assert headers.not_before is None
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 1_000_000
