"""What is parked for a replay: the bytes untouched, the record's own headers kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.resend.parking import OURS, Run, admitted_as, letter_name, replayed_times
from consumers.delivery.parking import unparked
from schemas.records import Stored
from schemas.topics import Kind

RUN = Run("ampgate.parked", 1_767_225_600_000)
ADDED = {
    *OURS,
    *(name for name, _ in RUN.parked(Stored("t", 0, 0, 0, None, b"", []), "us").headers),
}
HEADERS = st.lists(st.tuples(st.sampled_from([*sorted(ADDED), "source", "x"]), st.binary()))


@given(key=st.none() | st.binary(), value=st.none() | st.binary(), headers=HEADERS)
def test_bytes_and_foreign_headers_are_kept_and_ours_stand_once(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    record = Stored("ampgate.events", 7, 5, 0, key, value, headers)
    parked = RUN.parked(record, "us")

    assert (parked.key, parked.value) == (key, value)
    names = [name for name, _ in parked.headers]
    foreign = [header for header in headers if header[0] not in ADDED]
    assert list(parked.headers[: len(foreign)]) == foreign
    assert sorted(names[len(foreign) :]) == sorted(set(names[len(foreign) :]))
    assert (parked.partition, dict(parked.headers)["origin"]) == (7, b"ampgate.events/7/5")


def test_the_delivery_reads_the_original_out_of_what_is_parked() -> None:
    record = Stored("ampgate.events", 2, 5, 1234567, None, b"{}", [("source", b"web-shop")])
    sent = RUN.parked(record, "us")
    original, letter = unparked(
        Stored("ampgate.parked", 2, 0, 9, sent.key, sent.value, sent.headers)
    )
    assert (original.topic, original.partition, original.offset) == ("ampgate.events", 2, 5)
    assert (original.timestamp, original.value) == (1234567, b"{}")
    assert (letter.destination, letter.not_before) == ("us", 1_767_225_600.0)
    assert dict(original.headers)["source"] == b"web-shop"
    assert dict(original.headers)["replayed"] == b"1"


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


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b'{"event_type":"Sign Up","user_id":"ann"}', Kind.EVENT),
        (b'{"user_id":"ann","user_properties":{"a":1}}', Kind.USER_PROPERTIES),
        (b'{"user_id":"ann","groups":{"team":"red"}}', Kind.USER_PROPERTIES),
        (
            b'{"group_type":"team","group_value":"red","group_properties":{"a":1}}',
            Kind.GROUP_PROPERTIES,
        ),
        # Events without a usable type are no updates, although these are read alike.
        (b'{"user_id":"ann"}', None),
        (b'{"event_type":"","user_id":"ann","user_properties":{"a":1}}', None),
        (b'{"user_id":"ann","event_properties":{"b":1},"user_properties":{"a":1}}', None),
        (b'{"group_type":"team","group_value":"red"}', None),
        (b"no JSON", None),
        (None, None),
    ],
)
def test_the_edge_takes_for_an_update_only_what_is_one(
    value: bytes | None, kind: Kind | None
) -> None:
    assert admitted_as(value) is kind
