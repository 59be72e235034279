"""Up to when Amplitude has shown what was uploaded."""

import pytest

from ampgate.amplitude_read.hours import HOUR_MS, Hours
from ampgate.reconcile.reconcile import Asked

HOUR = 490_000  # Since 1970.


def asked(*, now: int) -> Asked:
    """About the first of these hours, so many hours and half an hour after its beginning."""
    start = HOUR * HOUR_MS
    return Asked(start, start + HOUR_MS, start + now * HOUR_MS + HOUR_MS // 2, 24 * HOUR_MS)


@pytest.mark.parametrize(("now", "until"), [(1, -1), (5, 3), (27, 25), (28, None), (100, None)])
def test_until_the_last_late_hour_is_shown_what_is_missing_may_still_come(
    now: int, until: int | None
) -> None:
    shown = None if until is None else (HOUR + until) * HOUR_MS
    assert asked(now=now).shown_until_ms == shown


@pytest.mark.parametrize(
    ("first", "hours"),
    [
        (None, None),  # Nothing was delivered.
        (HOUR - 1, Hours(HOUR, HOUR + 9)),
        (HOUR + 3, Hours(HOUR + 3, HOUR + 9)),
        (HOUR + 10, Hours(HOUR + 9, HOUR + 9)),  # After the range.
    ],
)
def test_hours_before_the_first_record_are_not_asked_about(
    first: int | None, hours: Hours | None
) -> None:
    start = HOUR * HOUR_MS + HOUR_MS // 2
    since = Asked(start, start + 8 * HOUR_MS, start + 99 * HOUR_MS, 24 * HOUR_MS)
    first_ms = None if first is None else first * HOUR_MS + HOUR_MS // 2
    assert since.hours_since(first_ms) == hours


def test_of_all_time_is_asked_what_kafka_has() -> None:
    now = HOUR * HOUR_MS
    assert Asked(0, now, now, 0).hours_since(now - HOUR_MS) == Hours(HOUR - 2, HOUR)
