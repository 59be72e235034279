"""Up to when Amplitude has shown what was uploaded."""

import pytest

from ampgate.amplitude_read.hours import HOUR_MS
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
