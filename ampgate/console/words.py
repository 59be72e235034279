"""Figures in words: what a destination does and why, and what to do about it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ampgate.console.figures.forecast import Forecast

STATUS = re.compile(r"status_([0-9]{3})")
RATE_MIN = 0.05
UNKNOWN = "\N{EN DASH}"
PROMPT_SECONDS = 10.0
NEAR_SHARE = 0.5  # Of the retention, that the oldest record has waited.
OF_A_KEY = frozenset({"status_401", "status_403", "invalid_api_key"})


class Level(StrEnum):
    """How a state is to be seen: the colours of the pages."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class State:
    """`text` has a place `{since}` for a time, which pages show in the reader's zone."""

    level: Level
    label: str
    text: str
    fix: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """What all processes and Kafka say of one destination, summed."""

    name: str
    title: str  # The vendor's.
    is_attended: bool
    paused: str | None = None
    paused_since: float | None = None
    waiting: Mapping[str, int] = field(
        default_factory=dict
    )  # By reason: unread, in_flight, held, parked.
    unread: int = 0  # By Kafka, where no delivery says it.
    oldest_seconds: float = 0.0
    retention_seconds: float | None = None
    delivered_rate: float | None = None
    dead_rate: float | None = None
    lost: int = 0
    forecast: Forecast = field(default_factory=Forecast)

    @property
    def is_near_deletion(self) -> bool:
        """Whether retention will delete its oldest record, and half of that time is over."""
        kept = self.retention_seconds
        is_old = kept is not None and self.oldest_seconds > NEAR_SHARE * kept
        return is_old and self.forecast.loses

    @property
    def is_prompt(self) -> bool:
        """Whether what waits came a moment ago."""
        held = self.waiting.get("held", 0) + self.waiting.get("parked", 0)
        return not held and self.oldest_seconds < PROMPT_SECONDS

    @property
    def waits(self) -> int:
        return sum(self.waiting.values()) if self.is_attended else self.unread


def state_of(one: Destination, *, is_known: bool = True) -> State:
    """`is_known`: whether any delivery could be asked."""
    if not one.is_attended:
        return _unattended(one, is_known=is_known)
    if one.paused is not None:
        return _paused(one, one.paused)
    if one.is_near_deletion:
        fix = "Lengthen the retention of the topics first, then find what holds it up."
        return State(
            Level.BAD, "Behind", "Kafka will delete its oldest record before it is delivered.", fix
        )
    return _delivering(one)


def _unattended(one: Destination, *, is_known: bool) -> State:
    waits = f" {count(one.unread, 'record waits', 'records wait')} in Kafka." if one.unread else ""
    if not is_known:
        text = f"No delivery process could be asked.{waits}"
        return State(Level.UNKNOWN, "Not known", text, "See the processes below.")
    text = f"No delivery process serves it.{waits}"
    return State(Level.BAD, "Not running", text, f"Start one: ampgate deliver {one.name}")


def _paused(one: Destination, reason: str) -> State:
    what, fix = pause_in_words(reason, one.title)
    since = " since {since}" if one.paused_since else ""
    label = "Waiting" if reason == "throttled" else "Paused"
    level = Level.WARN if reason == "throttled" else Level.BAD
    return State(level, label, f"{label}: {what}{since}.", fix, one.paused_since)


def pause_in_words(reason: str, title: str) -> tuple[str, str]:
    """What happened, and what to do; the reasons are those of `consumers/delivery/outcomes.py`."""
    known = {
        "invalid_api_key": (f"{title} refuses the API key", "Check the API key."),
        "not_the_destination": (
            f"something answers that is not {title}",
            "Check base_url, and proxies or sign-in pages on the way.",
        ),
        "too_many_rejects": (
            f"{title} refuses nearly every record",
            "The dead letters have its words.",
        ),
        "throttled": (f"{title} asks us to wait (429)", "It goes on by itself."),
        "connect_failed": (
            f"{title} cannot be reached",
            "Check the network, DNS and proxy; it goes on by itself.",
        ),
        "timeout": (f"{title} does not answer in time", "It is probed, and goes on by itself."),
        "connection_broken": (f"{title} breaks the connection", "It goes on by itself."),
    }
    if reason in known:
        return known[reason]
    if found := STATUS.fullmatch(reason):
        return f"{title} answered {found[1]}", _fix_of(reason, int(found[1]))
    return f"{title} does not take records ({reason.replace('_', ' ')})", "See the delivery's log."


def _fix_of(reason: str, status: int) -> str:
    if reason in OF_A_KEY:
        return "Check the API key."
    if status == 404:
        return "Check its region and base_url."
    if status >= 500 or status in (408, 425, 429):
        return "It is in trouble; it is probed, and goes on by itself."
    return "Check its account, its base_url, and any proxy on the way."


def _delivering(one: Destination) -> State:
    rate = one.delivered_rate or 0.0
    pace = f"Delivering {per_second(rate)}" if rate >= RATE_MIN else ""
    lost = f" {count(one.lost, 'record was', 'records were')} deleted before delivery." * bool(
        one.lost
    )
    if not one.waits or one.is_prompt:
        text = f"{pace or 'Nothing waits'}.{lost}"
        return State(Level.WARN if lost else Level.GOOD, "Up to date", text)
    waits = f"{count(one.waits, 'record waits', 'records wait')}"
    if one.forecast.growing:
        text = f"{pace or 'Delivering nothing'}. {waits}, {per_second(one.forecast.growing)} more."
        fix = "More comes than goes: add a delivery, or ask for a larger quota."
        return State(Level.WARN, "Falling behind", text + lost, fix)
    held = one.waiting.get("held", 0) + one.waiting.get("parked", 0)
    why = f", {held:,} of them until a known time" if held else ""
    label = "Delivering" if pace else "Waiting"
    return State(Level.BUSY, label, f"{pace + '. ' if pace else ''}{waits}{why}.{lost}")


def count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def per_second(rate: float | None) -> str:
    if rate is None:
        return UNKNOWN
    if rate >= 100:
        return f"{rate:,.0f}/s"
    return f"{rate:.1f}/s" if rate >= RATE_MIN or rate == 0 else "<0.1/s"


def short(number: float) -> str:
    """A number for a small place: 24,028 is `24k`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            scaled = number / (1e3 if unit == "k" else size)
            return f"{scaled:.1f}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """`42 s`, `17 min`, `5.2 h`, `3.1 d`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} d"
