"""Assigns partitions: a member gets the same numbers of each topic, even if the counts differ.

Kafka's range assignor divides each topic by itself. While partitions are being added, one topic has
more than the other, and two members would get the partitions of one number.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)


class SisterAssignor(RangePartitionAssignor):  # type: ignore[misc]  # aiokafka has no types.
    """If all topics have the same number of partitions, it assigns as Kafka's does.

    So older and newer deliveries can be members of one group.
    """

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        topics = {member: list(one.subscription) for member, one in members.items()}
        numbers = {
            topic: sorted(cluster.partitions_for_topic(topic) or ())
            for topic in sorted({topic for wanted in topics.values() for topic in wanted})
        }
        shares = divided(sorted({one for found in numbers.values() for one in found}), len(topics))
        assigned: dict[str, ConsumerProtocolMemberAssignment] = {}
        for member, share in zip(sorted(topics), shares, strict=True):
            own = [
                (topic, [number for number in numbers[topic] if number in share])
                for topic in sorted(topics[member])
            ]
            assigned[member] = ConsumerProtocolMemberAssignment(cls.version, own, b"")
        return assigned


def divided(numbers: Sequence[int], among: int) -> list[frozenset[int]]:
    """Contiguous ranges; the first members get one more if the division has a rest."""
    size, more = divmod(len(numbers), among)
    starts = [size * n + min(n, more) for n in range(among + 1)]
    return [frozenset(numbers[a:b]) for a, b in pairwise(starts)]
