"""Holds a request's records to the plan of their source; costs nothing without one."""

from gateway.dialects.shapes import Batch, Context, Rejection
from gateway.dialects.trees import tree_bytes
from gateway.edge.metrics import Metrics
from gateway.edge.sources import Sender
from gateway.edge.turns import Pauses
from schemas.plans.checking import Held
from schemas.plans.plan import Violation
from schemas.strictness import Defect
from schemas.topics import Kind

TURN_BYTES = 200_000  # Checked at once, in 1 to 5 ms.


async def held_to_plan(
    batch: Batch, kind: Kind, context: Context, sender: Sender, metrics: Metrics
) -> None:
    """What violates the plan is counted, and blocked if the plan blocks."""
    held = sender.plan
    if held is None:
        return
    kept, pauses = Batch(), Pauses(TURN_BYTES)
    for position, record in enumerate(batch.records):
        await pauses.before(record.value)
        receipt = batch.receipt_of(position)
        violation = _violation(held, kind, record.value, context)
        if violation is not None:
            metrics.violates_plan(sender.name, violation.reason, is_known=violation.is_known)
            if held.blocks:
                defect = Defect(violation.reason, violation.path, violation.message)
                kept.blocked.append(Rejection(receipt[0], defect, record.value, record.key))
                continue
        kept.records.append(record)
        if batch.receipts:
            kept.receipts.append(receipt)
    batch.records, batch.receipts, batch.blocked = kept.records, kept.receipts, kept.blocked


def _violation(held: Held, kind: Kind, value: bytes, context: Context) -> Violation | None:
    if size := tree_bytes(value):
        with context.room.lend(size):  # It is taken apart.
            return held.plan.violation(kind, value)
    return held.plan.violation(kind, value)
