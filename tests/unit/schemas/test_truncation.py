"""Dead letters that are too large, cut."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import RawRecord
from schemas.truncation import cut
from tests.unit.schemas.kafka.batches import size_in_a_batch

OURS = [
    ("destination", b"amplitude"),
    ("reason", b"malformed_json"),
    ("origin", b"ampgate.events/0/7"),
    ("attempts", b"0"),
    ("first_failed_at", b"2026-01-01T00:00:00.000Z"),
]
OURS_BYTES = 400  # What they and the batch around them take.
one_header = st.tuples(st.text(max_size=40), st.binary(max_size=400) | st.none())


@given(
    key=st.binary(max_size=3000) | st.none(),
    value=st.binary(max_size=3000) | st.none(),
    given_headers=st.lists(one_header, max_size=30),
    room=st.integers(min_value=OURS_BYTES, max_value=4000),
)
def test_whatever_a_letter_is_made_of_it_fits_once_cut_and_says_how_long_it_was(
    key: bytes | None, value: bytes | None, given_headers: list[tuple[str, bytes]], room: int
) -> None:
    letter = RawRecord(key, value, [*given_headers, *OURS])
    shorter = cut(letter, room)

    assert size_in_a_batch(shorter) <= room
    named = dict(shorter.headers)
    assert named["truncated"] == str(len(value or b"")).encode()
    assert set(OURS) <= set(shorter.headers)
    assert (shorter.value is None) == (value is None)
    assert (value or b"").startswith(shorter.value or b"")


def test_a_long_value_fills_the_room() -> None:
    shorter = cut(RawRecord(b"user", b"x" * 100_000, OURS), 20_000)
    assert 19_800 < size_in_a_batch(shorter) <= 20_000


def test_headers_of_megabytes_go_and_the_value_stays() -> None:
    letter = RawRecord(b"user", b"{", [("huge", b"x" * 5_000_000), ("source", b"shop"), *OURS])
    shorter = cut(letter, 1_000_000)

    assert shorter.value == b"{"
    assert [name for name, _ in shorter.headers][:2] == ["source", "destination"]


def test_no_character_is_cut_in_half() -> None:
    for room in range(500, 520):
        shorter = cut(RawRecord(None, "é🙂".encode() * 1000, OURS), room)
        assert shorter.value is not None
        shorter.value.decode()
