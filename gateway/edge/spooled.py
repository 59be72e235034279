"""The spool of this edge, and what its records pass before they leave it for Kafka."""

from collections.abc import Callable, Sequence

from gateway.dialects.shapes import Rejection
from gateway.edge.ingest import Ingest
from gateway.edge.log import EdgeLog
from gateway.edge.rejections import dead_letter
from gateway.edge.storage import TOO_LARGE
from gateway.edge.suppression import without_theirs
from gateway.spool.draining import Exit
from gateway.spool.opening import opened
from gateway.spool.spooling import SpoolingLog
from schemas.configuration.config import Config
from schemas.records import NewRecord
from schemas.topics import Kind

ON_OUTAGE = "records are kept in the spool"


def spooling_log(config: Config, ingest: Callable[[], Ingest]) -> SpoolingLog:
    """Of an edge with a `spool_dir`; its ingest is made after it."""
    edge, topics = config.edge, config.kafka.topics
    assert edge.spool_dir is not None, "no spool is configured"
    kinds = {topics.of(kind): kind for kind in Kind}

    async def unsuppressed(topic: str, records: Sequence[NewRecord]) -> Sequence[NewRecord]:
        one = ingest()
        if not one.suppressed:
            return records
        return await without_theirs(records, one.suppressed, kinds.get(topic), one.reading.turn)

    return SpoolingLog(
        EdgeLog(config.kafka, edge.ack_timeout_seconds, ON_OUTAGE, strict=True),
        opened(edge.spool_dir, edge.spool_max_bytes),
        Exit(
            is_known=lambda: ingest().suppressed.followed.is_known,
            unsuppressed=unsuppressed,
            dead_letters=topics.dead_letters,
            too_large=_too_large,
        ),
        lambda count: ingest().metrics.spool.kept(count),
    )


def _too_large(record: NewRecord, at_ms: int) -> NewRecord:
    rejection = Rejection(0, TOO_LARGE, record.value, record.key)
    return dead_letter(rejection, record.headers, at_ms)
