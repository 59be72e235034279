"""What the overview says of a destination: a sentence that names the cause and the remedy."""

from dataclasses import replace
from typing import Any

import pytest

from ampgate.console.figures.forecast import Forecast, forecast
from ampgate.console.words import Destination, Level, duration, per_second, short, state_of

DAY = 86_400.0


def said(**facts: Any) -> tuple[str, str, str]:  # noqa: ANN401  Any of its fields.
    """The level, the text and the remedy."""
    state = state_of(replace(Destination("amplitude-us", "Amplitude", is_attended=True), **facts))
    return state.level, state.text, state.fix


def test_a_refused_key_is_named_with_its_status_and_since_when() -> None:
    level, text, fix = said(paused="status_401", paused_since=1_000.0)

    assert (level, text) == (Level.BAD, "Paused: Amplitude answered 401 since {since}.")
    assert fix == "Check the API key."


@pytest.mark.parametrize(
    ("reason", "text", "fix"),
    [
        ("invalid_api_key", "Amplitude refuses the API key", "API key"),
        ("status_404", "Amplitude answered 404", "region and base_url"),
        ("status_407", "Amplitude answered 407", "proxy"),
        ("status_503", "Amplitude answered 503", "goes on by itself"),
        ("connect_failed", "Amplitude cannot be reached", "DNS"),
        ("not_the_destination", "something answers that is not Amplitude", "base_url"),
        ("too_many_rejects", "Amplitude refuses nearly every record", "dead letters"),
        ("client_failed", "does not take records (client failed)", "log"),
    ],
)
def test_every_reason_of_a_pause_is_in_words(reason: str, text: str, fix: str) -> None:
    level, shown, remedy = said(paused=reason)

    assert level is Level.BAD
    assert text in shown
    assert fix in remedy


def test_a_destination_that_asks_to_wait_is_not_called_paused() -> None:
    assert said(paused="throttled")[:2] == (
        Level.WARN,
        "Waiting: Amplitude asks us to wait (429).",
    )


def test_a_destination_that_nobody_serves_is_not_running_and_the_command_is_named() -> None:
    level, text, fix = said(is_attended=False, unread=2_310)

    assert level is Level.BAD
    assert text == "No delivery process serves it. 2,310 records wait in Kafka."
    assert fix == "Start one: ampgate deliver amplitude-us"


def test_without_an_answer_of_any_delivery_nothing_is_claimed() -> None:
    state = state_of(Destination("a", "Aampe", is_attended=False), is_known=False)

    assert state.level is Level.UNKNOWN


def test_what_is_in_flight_for_a_moment_is_up_to_date() -> None:
    waiting = {"unread": 0, "in_flight": 30, "held": 0, "parked": 0}

    assert said(waiting=waiting, delivered_rate=54.71)[:2] == (
        Level.GOOD,
        "Delivering 54.7/s.",
    )


def test_who_gets_more_than_it_delivers_falls_behind() -> None:
    level, text, _ = said(
        waiting={"unread": 24_028},
        oldest_seconds=600.0,
        delivered_rate=1_200.0,
        forecast=Forecast(growing=120.0),
    )

    assert level is Level.WARN
    assert text == "Delivering 1,200/s. 24,028 records wait, 120/s more."


def test_records_that_retention_will_delete_are_the_worst_news() -> None:
    level, text, fix = said(
        waiting={"unread": 5},
        oldest_seconds=6 * DAY,
        retention_seconds=7 * DAY,
        forecast=Forecast(empty_at=None, deleted_at=9.0),
    )

    assert level is Level.BAD
    assert text == "Kafka will delete its oldest record before it is delivered."
    assert "retention" in fix


def test_what_gets_less_is_empty_at_a_time_and_what_does_not_passes_retention() -> None:
    assert forecast(600, -2.0, 30.0, 7 * DAY, 1_000.0).empty_at == 1_300.0
    growing = forecast(600, 3.0, 30.0, 100.0, 1_000.0)
    assert (growing.empty_at, growing.deleted_at, growing.growing) == (None, 1_070.0, 3.0)
    assert growing.loses
    assert not forecast(600, -60.0, 30.0, 100.0, 1_000.0).loses
    assert forecast(0, None, 0.0, 100.0, 1_000.0) == Forecast()


def test_numbers_are_short_enough_for_their_place() -> None:
    assert [short(n) for n in (0, 999, 9_999, 24_028, 2_500_000)] == [
        *("0", "999", "9,999", "24k", "2.5M")
    ]
    assert [per_second(n) for n in (None, 0.0, 0.01, 3.14, 1_234.0)] == [
        *("\N{EN DASH}", "0.0/s", "<0.1/s", "3.1/s", "1,234/s")
    ]
    assert [duration(n) for n in (4, 700, 7_200, 300_000)] == ["4 s", "12 min", "2.0 h", "3.5 d"]
