"""Points in time, as vendors write them."""

import pytest

from gateway.dialects.moments import milliseconds_of, milliseconds_of_number

MOMENT = 1_767_225_600_000


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("2026-01-01T00:00:00.000Z", MOMENT),
        ("2026-01-01T00:00:00+00:00", MOMENT),
        ("2026-01-01T01:00:00.123456789+01:00", MOMENT + 123),
        ("2026-01-01T00:00:00", MOMENT),
        ("2026-01-01", MOMENT),
        ("2026-01-01t00:00:00z", MOMENT),
        ("2025-12-31T23:59:60Z", MOMENT - 1_000),
        (" 2026-01-01T00:00:00Z ", MOMENT),
        ("1970-01-01T00:02:00.000Z", 120_000),
        (MOMENT, MOMENT),
        (MOMENT / 1000, MOMENT),
        (str(MOMENT), MOMENT),
        (str(MOMENT // 1000), MOMENT),
        ("1711120512345", 1_711_120_512_345),  # Also "1711-12-05", then "2345", to Python.
        ("20260101", MOMENT),
        ("20260101T00:00zZ", None),
        (0, 0),
        ("yesterday", None),
        ("2026-01-01T00:00:00Z" + " " * 100, None),
        ("", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_a_moment_is_read_in_milliseconds_and_anything_else_is_none(
    written: object, milliseconds: int | None
) -> None:
    assert milliseconds_of(written) == milliseconds


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300, -1e300])
def test_a_number_beyond_the_calendar_is_no_moment(number: float) -> None:
    assert milliseconds_of_number(number) is None
