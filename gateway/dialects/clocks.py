"""The times of events of a sender whose clock is off (amplitude.md#clocks). Pure."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from gateway.dialects.moments import MILLISECONDS_MAX
from gateway.dialects.shapes import Context
from gateway.dialects.trees import room_for_members
from schemas.events import EventFacts
from schemas.splicing import with_members, without
from schemas.strictness import Defect

SKEW_MILLISECONDS_MIN: Final = 60_000  # Amplitude takes less for latency.


def skew_of(sent_ms: int | None, now_ms: int) -> int:
    """How far the clock is behind ours that said so when it sent; 0 if it may be right."""
    skew = 0 if sent_ms is None else now_ms - sent_ms
    return skew if abs(skew) > SKEW_MILLISECONDS_MIN else 0


def set_right(
    values: Sequence[bytes], several: Sequence[EventFacts | Defect], skew: int, context: Context
) -> tuple[list[bytes], list[EventFacts | Defect]]:
    """The events and their facts, at our times; one without a time stays as it is."""
    pairs = [
        _set_right(value, facts, skew, context)
        for value, facts in zip(values, several, strict=True)
    ]
    return [value for value, _ in pairs], [facts for _, facts in pairs]


def _set_right(
    value: bytes, facts: EventFacts | Defect, skew: int, context: Context
) -> tuple[bytes, EventFacts | Defect]:
    if type(facts) is Defect or facts.time is None:
        return value, facts
    time = facts.time + skew
    if not 0 <= time <= MILLISECONDS_MAX:
        return value, facts
    with room_for_members(value, context):
        moved = with_members(without(value, "time"), b'"time":%d' % time)
    return moved, replace(facts, time=time)
