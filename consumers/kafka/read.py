"""What one read of a topic and its parked records found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.kafka.troubles import Lost
from schemas.records import Record, TopicPartition


@dataclass(frozen=True, slots=True)
class Read:
    """What one read found, in the order in which it is to be told to the engine."""

    lost: Sequence[Lost]
    records: Sequence[Sequence[Record]]  # Each of one partition.
    reached: Mapping[TopicPartition, int]  # There is no other record below these offsets.
    cut: Sequence[TopicPartition]  # Their logs end before what was read of them.
