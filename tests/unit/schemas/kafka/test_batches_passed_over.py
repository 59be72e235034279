"""Batches that have no letter that is looked for: nothing of them is parsed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka.fetching.batches import AT_ONCE_BYTES_MAX, HEADER_BYTES
from schemas.letters import LetterHeaders, Origin, waiting
from schemas.letters_among import may_have_letters
from schemas.records import TopicPartition
from tests.raw_batches import CODECS, Raw, batch
from tests.unit.schemas.kafka.batch_reading import fetched

MAY_HAVE = may_have_letters("amplitude", "events")
PASSED_OVER = [name for name in CODECS if name != "gzip"]  # Which is read in pieces.
some_values = st.none() | st.sampled_from(
    [b"amplitude", b"amplitude-eu", b"x" * 70, b"events/0/1", b"events", b"events-eu/0/1"]
)
some_headers = st.lists(st.tuples(st.sampled_from([b"destination", b"origin"]), some_values))


def letter(name: str, topic: str, offset: int = 0) -> Raw:
    origin = Origin(TopicPartition(topic, 0), offset)
    headers = LetterHeaders(name, "throttled", "", origin, 1, 0.0).encoded([])
    return Raw(b"ann", b"{}", [(name.encode(), value) for name, value in headers])


@given(some_headers, some_values)
def test_no_letter_that_is_looked_for_is_passed_over(
    headers: list[tuple[bytes, bytes | None]], value: bytes | None
) -> None:
    records = batch([Raw(b"ann", value, headers)])[HEADER_BYTES:]
    read = [(name.decode(), content) for name, content in headers]

    assert MAY_HAVE(records) or waiting(read, b"amplitude", "events") is None


def test_a_letter_of_a_destination_with_a_long_name_is_not_passed_over() -> None:
    name = "a" * 900  # The length takes two bytes.
    records = batch([letter(name, "events")])[HEADER_BYTES:]

    assert may_have_letters(name, "events")(records)
    assert not MAY_HAVE(records)


@pytest.mark.parametrize("codec", PASSED_OVER)
def test_batches_of_others_letters_are_passed_over_and_the_rest_is_read(codec: str) -> None:
    of_another_topic = [letter("amplitude", "user-properties")]
    of_another_destination = [letter("aampe", "events")]
    both = [letter("aampe", "events"), letter("amplitude", "events", 5)]
    found = fetched(
        b"".join(
            [
                batch(of_another_topic * 2, codec),
                batch(both, codec, base_offset=2),
                batch(of_another_destination * 2, codec, base_offset=4),
            ]
        ),
        may_have=MAY_HAVE,
    )

    records, _ = found.some(10, 1000)
    assert [one.offset for one in records] == [2, 3]
    assert dict(records[1].headers)["origin"] == b"events/0/5"
    assert not found.some(10, 1000)[0]
    assert found.next_fetch_offset == 6


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_looked_for_is_read_in_every_codec(codec: str) -> None:
    found = fetched(batch([letter("amplitude", "events")], codec), may_have=MAY_HAVE)

    assert len(found.some(10, 1000)[0]) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_looked_for_is_read_behind_as_much_as_is_decompressed_at_once(codec: str) -> None:
    other = Raw(b"ann", bytes(AT_ONCE_BYTES_MAX))
    found = fetched(batch([other, letter("amplitude", "events")], codec), may_have=MAY_HAVE)

    offsets = []
    while records := found.some(10, AT_ONCE_BYTES_MAX)[0]:
        offsets += [one.offset for one in records]
    assert offsets == [0, 1]
