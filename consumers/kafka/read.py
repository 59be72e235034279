"""What one read of a topic and its parked records found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from aiokafka import TopicPartition as KafkaPartition

from consumers.kafka.troubles import Lost
from schemas.kafka.fetching.taken import Taken
from schemas.records import Record, TopicPartition


@dataclass(frozen=True, slots=True)
class Read:
    """What one read found, in the order in which it is to be told to the engine."""

    lost: Sequence[Lost]
    records: Sequence[Sequence[Record]]  # Each of one partition.
    reached: Mapping[TopicPartition, int]  # There is no other record below these offsets.
    cut: Sequence[TopicPartition]  # Their logs end before what was read of them.

    @classmethod
    def of(cls, lost: Sequence[Lost], taken: Taken, cut: Iterable[KafkaPartition]) -> Self:
        reached = {TopicPartition(*place): at for place, at in taken.positions.items()}
        return cls(lost, taken.records, reached, [TopicPartition(*place) for place in cut])
