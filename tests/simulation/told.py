"""The waits that replies asked for: no later request of the process may ignore them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from consumers.delivery.batch import Batch
from consumers.delivery.destination import (
    Reply,
    Response,
)
from consumers.delivery.outcomes import Verdict
from tests.simulation.subjects import Wire

if TYPE_CHECKING:
    from tests.simulation.process import Process

HELD_SECONDS = 30.0
QUOTA_STEP_SECONDS = 3600.0


def remember(
    process: "Process", batch: Batch, wires: Sequence[Wire], reply: Reply, verdict: Verdict
) -> None:
    """The keys that the reply asked to wait."""
    if not isinstance(reply, Response):
        return
    now, after = process.world.now, reply.retry_after_seconds
    is_named = bool(verdict.holds or verdict.but) or process.world.subject.is_form
    if after and (reply.status >= 500 or (reply.status == 429 and not is_named)):
        process.quiet_until = max(process.quiet_until, now + after)
    if reply.status != 429:
        return
    until = now + (after or HELD_SECONDS)
    indexes: Sequence[int] = ()
    if process.world.subject.is_form:
        indexes = range(len(wires))
    elif not process.world.subject.is_aampe and reply.body:
        body = orjson.loads(reply.body)
        indexes = body.get("throttled_events", ())
        for kind, ending in (("user", "users"), ("device", "devices")):
            for one in body.get(f"throttled_{ending}", ()):
                process.held[kind, one] = max(until, process.held.get((kind, one), 0.0))
            for one in body.get(f"exceeded_daily_quota_{ending}", ()):
                process.held[kind, one] = (now // QUOTA_STEP_SECONDS + 1) * QUOTA_STEP_SECONDS
    if all(lane.offsets.is_ours for lane, _ in batch.parts):
        for index in indexes:
            for name in wires[index].names:
                process.held["name", name] = until
