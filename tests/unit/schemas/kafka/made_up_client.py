"""A client of aiokafka's without connections: what it is asked, a test answers from its logs."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataResponse_v1

from schemas.kafka.fetching.taken import asked_by
from tests.unit.schemas.kafka.stored_logs import Log, answer, refused

NOT_LEADER = 6
NODES = (1, 2)


class Client(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types.
    def __init__(self, logs: Mapping[TopicPartition, Log]) -> None:
        super().__init__(bootstrap_servers="localhost:1")
        self.logs = logs
        self.leaders = {place: NODES[place.partition % 2] for place in logs}
        self.asked: list[tuple[int, FetchRequest, asyncio.Future[Any]]] = []
        self.is_prompt = False  # Whether it answers at once all that it has.

    async def bootstrap(self) -> None:
        self.look_for_leaders()

    def force_metadata_update(self) -> asyncio.Future[bool]:
        self.look_for_leaders()
        found = asyncio.get_running_loop().create_future()
        found.set_result(True)
        return found

    def look_for_leaders(self) -> None:
        [topic] = {place.topic for place in self.logs}
        partitions = [
            (0, place.partition, leader, [leader], [leader])
            for place, leader in self.leaders.items()
        ]
        nodes = [(node, "localhost", node, None) for node in NODES]
        self.cluster.update_metadata(MetadataResponse_v1(nodes, 1, [(0, topic, False, partitions)]))

    async def send(self, node: int, request: FetchRequest, **_: object) -> Any:  # noqa: ANN401  aiokafka's.
        assert isinstance(request, FetchRequest)
        if self.is_prompt:
            await asyncio.sleep(0)
            return self._answered(node, request, 10_000, {})
        found = asyncio.get_running_loop().create_future()
        self.asked.append((node, request, found))
        return await found

    def answer(self, number: int, bytes_max: int, errors: Mapping[TopicPartition, int]) -> None:
        """One of those that are waited for, if there is any."""
        self.asked = [one for one in self.asked if not one[-1].done()]
        if self.asked:
            node, request, found = self.asked.pop(number % len(self.asked))
            found.set_result(self._answered(node, request, bytes_max, errors))

    def fail(self, error: Exception) -> None:
        """All that are waited for."""
        for _, _, found in self.asked:
            if not found.done():
                found.set_exception(error)

    def answer_promptly(self) -> None:
        self.is_prompt = True
        while self.asked:
            self.answer(0, 10_000, {})

    def _answered(
        self, node: int, request: FetchRequest, bytes_max: int, errors: Mapping[TopicPartition, int]
    ) -> Any:  # noqa: ANN401  As above.
        partitions: list[tuple[object, ...]] = []
        for place, offset in asked_by(request).items():
            if place in errors:
                partitions.append(refused(place.partition, errors[place]))
            elif self.leaders[place] != node:
                partitions.append(refused(place.partition, NOT_LEADER))
            else:
                partitions.append(self.logs[place].answered(place.partition, offset, bytes_max))
        return answer(place.topic, partitions)
