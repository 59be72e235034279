"""Times and rates that are typed into a form, as the commands take them."""

import math
import time
from collections.abc import Mapping

from ampgate.cli.moments import read_moment
from ampgate.console.desk import RefusedError

PLAN_MS = 3_600_000
RATE_MIN = 0.001  # As the commands have it.


def asked_moment(text: str, now_ms: int | None = None) -> int | None:
    """Milliseconds; None for an empty field. A time ago is before `now_ms`, if that is given."""
    if not text:
        return None
    try:
        return read_moment(text, time.time_ns() // 1_000_000 if now_ms is None else now_ms)
    except ValueError as error:
        raise RefusedError(f"{error}.", 400) from error


def planned_at(said: Mapping[str, str]) -> int:
    """When the plan was made that a form confirms, in milliseconds; an old one is made again."""
    at, now_ms = asked_moment(said.get("at", "")), time.time_ns() // 1_000_000
    if at is None or not now_ms - PLAN_MS < at <= now_ms:
        raise RefusedError("The plan is old by now. Make it again, then confirm it.", 409)
    return at


def planned_total(said: Mapping[str, str]) -> int:
    """How many records it would send; only shown."""
    text = said.get("total", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def asked_rate(said: Mapping[str, str]) -> float | None:
    """Records a second, at most; None for an empty field."""
    text = said.get("rate", "").strip()
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not (math.isfinite(rate) and rate >= RATE_MIN):
        raise RefusedError(f"A rate is a number of records a second, from {RATE_MIN}.", 400)
    return rate
