"""The topics as they should be: our own wishes, and over them those of the configuration. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.configuration.config import Kafka

PARTITIONS = 12
PARTITIONS_MAX = 10_000  # More in one request KRaft refuses; billions end its controller.
REPLICAS = 3
DAY_MS = 86_400_000
RETENTION_MS = 7 * DAY_MS  # Amplitude's dedupe window: older records cannot be replayed safely.
PROBE_RETENTION_MS = 3_600_000
MAX_MESSAGE_BYTES = 20_971_520 + 1_048_576  # The largest request, and the record around it.
MESSAGE, IN_SYNC, RETENTION = "max.message.bytes", "min.insync.replicas", "retention.ms"
REPLICATION = "replication.factor"  # Kafka's word; of a topic it is no setting.


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """The settings that a topic should have."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


def plan(kafka: Kafka, *, brokers: int, partitions: int = PARTITIONS) -> list[TopicPlan]:
    """All topics, with as many replicas as so many brokers can hold, three at most."""
    topics = kafka.topics
    limited = {MESSAGE: str(MAX_MESSAGE_BYTES)}
    kept = limited | {RETENTION: str(RETENTION_MS)}
    probed = limited | {RETENTION: str(PROBE_RETENTION_MS)}
    compacted = {"cleanup.policy": "compact"}
    return [
        *(_plan(kafka, name, brokers, partitions, kept) for name in topics.lasting),
        *(_plan(kafka, name, brokers, partitions, compacted) for name in topics.compacted),
        _plan(kafka, topics.probe, brokers, 1, probed),
    ]


def _plan(
    kafka: Kafka, name: str, brokers: int, partitions: int, ours: Mapping[str, str]
) -> TopicPlan:
    configured = dict(kafka.settings_of(name))
    replication = int(configured.pop(REPLICATION, min(REPLICAS, brokers)))
    settings = {IN_SYNC: str(max(1, replication - 1)), **ours, **configured}
    return TopicPlan(name, partitions, replication, settings)
