"""Moments as operators write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.cli.moments import LAST_MS, read_moment, write_moment

NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01", NOW_MS),
        ("2026-01-01T00:00:00Z", NOW_MS),
        ("2026-01-01T01:00:00+01:00", NOW_MS),
        ("2026-01-01T00:00:00.250", NOW_MS + 250),
        ("90s", NOW_MS - 90_000),
        ("15m", NOW_MS - 900_000),
        ("2h", NOW_MS - 7_200_000),
        ("7d", NOW_MS - 604_800_000),
        ("now", NOW_MS),
        ("1767225600", NOW_MS),
        ("1767225600250", NOW_MS + 250),
        # Kafka knows no time before 1970.
        ("99999d", 0),
        ("0001-01-01T00:00+14:00", 0),
    ],
)
def test_a_moment_is_iso_8601_or_a_time_ago(text: str, expected: int) -> None:
    assert read_moment(text, NOW_MS) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2h30m", "-1h", "2026-13-01", "1w", "17672256"])
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="neither ISO 8601 nor a time ago"):
        read_moment(text, NOW_MS)


@given(st.integers(min_value=0, max_value=LAST_MS))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert read_moment(write_moment(milliseconds), NOW_MS) == milliseconds


@given(*[st.integers(min_value=0, max_value=LAST_MS)] * 2)
def test_texts_sort_as_their_moments_do(one: int, other: int) -> None:
    assert (one < other) == (write_moment(one) < write_moment(other))


@pytest.mark.parametrize("milliseconds", [-1, LAST_MS + 1, 2**63 - 1])
def test_any_time_that_a_producer_gave_can_be_written(milliseconds: int) -> None:
    assert len(write_moment(milliseconds)) == len("2026-01-01T00:00:00.000Z")
