"""Members of a group are given the same partitions of each topic, however many each topic has."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from hypothesis import given
from hypothesis import strategies as st

from consumers.kafka.assignor import SisterAssignor

TOPICS = ["events", "parked"]
COUNTS = st.integers(0, 20)


@dataclass
class Cluster:
    """Of a cluster's metadata what an assignor asks for."""

    counts: Mapping[str, int]

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.counts[topic])) or None


def assigned(
    assignor: type[RangePartitionAssignor], events: int, parked: int, members: int
) -> Mapping[str, Mapping[str, list[int]]]:
    """By member and topic."""
    wanted = {f"member-{n}": assignor.metadata(TOPICS) for n in range(members)}
    found = assignor.assign(Cluster({"events": events, "parked": parked}), wanted)
    return {
        member: {topic: list(numbers) for topic, numbers in one.assignment if numbers}
        for member, one in found.items()
    }


@given(events=COUNTS, parked=COUNTS, members=st.integers(1, 8))
def test_every_partition_has_one_owner_who_has_its_sister_too(
    events: int, parked: int, members: int
) -> None:
    owners: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for member, topics in assigned(SisterAssignor, events, parked, members).items():
        for topic, numbers in topics.items():
            for number in numbers:
                owners[topic, number].append(member)

    assert {n for topic, n in owners if topic == "events"} == set(range(events))
    assert {n for topic, n in owners if topic == "parked"} == set(range(parked))
    assert all(len(found) == 1 for found in owners.values())
    for number in range(min(events, parked)):
        assert owners["events", number] == owners["parked", number]


@given(count=st.integers(1, 20), members=st.integers(1, 8))
def test_where_the_counts_are_the_same_it_assigns_as_kafkas_own(count: int, members: int) -> None:
    """Older deliveries, which assign so, may be members of the same group."""
    ours = assigned(SisterAssignor, count, count, members)

    assert ours == assigned(RangePartitionAssignor, count, count, members)
    assert SisterAssignor.name == RangePartitionAssignor.name
