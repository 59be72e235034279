"""How far partitions were read, and where they end, as far as Kafka says."""

from collections.abc import Collection
from types import SimpleNamespace

from aiokafka import TopicPartition

from schemas.kafka.fetching.fetch import Consumer
from schemas.records import Standing

LED, LEADERLESS = TopicPartition("events", 0), TopicPartition("events", 1)


class Full(Consumer):
    """Two partitions that are full, so nothing is fetched of them; one has no leader."""

    def __init__(self) -> None:
        self._closed = True
        self._asked_at = {}
        self._fetcher = SimpleNamespace(told_at={})
        leaders = {LED: 1, LEADERLESS: -1}
        self._client = SimpleNamespace(cluster=SimpleNamespace(leader_for_partition=leaders.get))
        states = {
            place: SimpleNamespace(position=5, highwater=7, lso=7, has_valid_position=True)
            for place in leaders
        }
        assignment = SimpleNamespace(state_value=states.get)
        self._subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))

    async def end_offsets(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        assert LEADERLESS not in partitions, "aiokafka waits for its leader, and answers of none"
        return dict.fromkeys(partitions, 9)


async def test_the_end_of_a_full_partition_is_known_though_another_has_no_leader() -> None:
    consumer = Full()
    found = await consumer.standings([LED, LEADERLESS])
    assert found == {LED: Standing(5, 9), LEADERLESS: Standing(5, 7)}
    answers = consumer.answers([LED, LEADERLESS])
    assert answers[LED] != answers[LEADERLESS] == float("-inf")
