"""What is parked for a replay: the bytes untouched, the record's own headers kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.batches import Stored
from ampgate.parking import ABOUT_FAILURE, Run, letter_name, origin_partition, replayed_times

RUN = Run("ampgate.parked", 3, 1_767_225_600_000)
HEADERS = st.lists(st.tuples(st.sampled_from([*ABOUT_FAILURE, "source", "x"]), st.binary()))


@given(key=st.none() | st.binary(), value=st.none() | st.binary(), headers=HEADERS)
def test_bytes_and_foreign_headers_are_kept_and_ours_stand_once(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    record = Stored("ampgate.events", 7, 5, 0, key, value, headers)
    parked = RUN.parked(record, "us")

    assert (parked.key, parked.value) == (key, value)
    names = [name for name, _ in parked.headers]
    foreign = [header for header in headers if header[0] not in ABOUT_FAILURE]
    assert list(parked.headers[: len(foreign)]) == foreign
    assert sorted(names[len(foreign) :]) == sorted(set(names[len(foreign) :]))
    assert dict(parked.headers)["origin"] == b"ampgate.events/7/5"


def test_a_record_without_a_key_stays_in_its_partition() -> None:
    keyless = Stored("ampgate.events", 2, 5, 0, None, b"{}", [])
    keyed = Stored("ampgate.events", 2, 5, 0, b"ann", b"{}", [])
    assert RUN.parked(keyless, "us").partition == 2
    assert RUN.parked(keyed, "us").partition is None


def letter(**headers: str) -> Stored:
    return Stored("dead", 1, 9, 0, None, b"", [(k, v.encode()) for k, v in headers.items()])


def test_copies_of_a_letter_have_one_name_and_each_death_another() -> None:
    first = letter(origin="t/0/1", destination="us")
    again = letter(origin="t/0/1", destination="us", replayed="1")
    assert letter_name(first) == letter_name(letter(origin="t/0/1", destination="us"))
    assert letter_name(first) != letter_name(again)
    assert letter_name(letter(origin="edge", destination="edge")) == "dead/1/9"


@pytest.mark.parametrize(("text", "times"), [("2", 2), ("", 0), ("x", 0), ("-1", 0)])
def test_replays_are_counted_from_what_the_header_says(text: str, times: int) -> None:
    assert replayed_times(letter(replayed=text)) == times


@pytest.mark.parametrize(("origin", "partition"), [("a/b/3/9", 3), ("edge", 0), ("t/x/1", 0)])
def test_the_partition_of_an_origin(origin: str, partition: int) -> None:
    assert origin_partition(origin) == partition
