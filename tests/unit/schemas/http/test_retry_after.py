"""`Retry-After` holds nobody for longer than a day, whatever it says, and never raises."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.http.retry_after import SECONDS_MAX, seconds_until

DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
ODD = st.sampled_from(
    [
        *(
            "-5",
            "1e400",
            "nan",
            "inf",
            "-inf",
            "1_000",
            "٣٠",
            "²",
            "+5",
            "0x10",
            "",
            " ",
            "120, 60",
        ),
        *("9" * 20_000, "0." + "9" * 5000, "5;", "5s", "1.5.5", "\x00", "5\r\nx: y"),
        *("Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -9959"),
        *("Mon, 01 Jan 0001 00:00:00 +9959", f"Wed, 21 Oct 2015 07:28:00 +{'9' * 20}"),
        *("Wed, 99 Oct 2015 77:88:99 GMT", "21 Oct", "Oct 21 07:28:00 2015", "0 0 0 0 0", ",,,,"),
    ]
)
DATE_LIKE = st.lists(
    st.sampled_from(["Wed,", "21", "Oct", "2015", "07:28:00", "GMT", "-0000", "+" + "9" * 20, ":"])
    | st.integers(-(10**22), 10**22).map(str)
).map(" ".join)


@given(st.text() | ODD | DATE_LIKE | st.floats().map(str), st.none() | st.text() | ODD | DATE_LIKE)
def test_any_text_is_read_as_up_to_a_day_or_ignored(text: str, date: str | None) -> None:
    seconds = seconds_until(text, date)
    assert seconds is None or 0.0 <= seconds <= SECONDS_MAX


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0.0), ("5", 5.0), (" 0.5 ", 0.5), ("30.", 30.0), ("86400", SECONDS_MAX)),
        *(
            ("-5", None),
            ("86401", None),
            ("9" * 400, None),
            ("1e9", None),
            ("nan", None),
            ("1_000", None),
            ("٣٠", None),
            ("soon", None),
        ),
        *((DATE, 0.0), ("Fri, 31 Dec 9999 23:59:59 GMT", None)),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0.0),
    ],
)
def test_seconds_and_dates_are_read(text: str, seconds: float | None) -> None:
    assert seconds_until(text) == seconds


def test_a_date_counts_from_the_answers_own_date() -> None:
    wrong = datetime(2015, 10, 21, 7, 28, tzinfo=UTC)
    later = format_datetime(wrong + timedelta(seconds=90), usegmt=True)
    assert seconds_until(later, DATE) == 90.0


def test_a_date_without_another_counts_from_our_clock() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    seconds = seconds_until(later, "not a date")
    assert seconds is not None
    assert 3000 < seconds <= 3600
