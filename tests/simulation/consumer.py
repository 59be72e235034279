"""What `consumers.kafka.epochs` asks of a consumer, answered by the log of a world."""

from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

from aiokafka import TopicPartition as KafkaPartition
from structlog.testing import capture_logs

from schemas.records import TopicPartition
from tests.simulation.log import Log

Result = TypeVar("Result")


class SimulatedConsumer:
    def __init__(self, log: Log) -> None:
        self._log = log
        # Up to where each partition was read, and the epoch of the last record.
        self.read: dict[TopicPartition, tuple[int, int]] = {}

    def read_to(self, place: KafkaPartition) -> tuple[int, int] | None:
        return self.read.get(TopicPartition(*place))

    def believe(self, place: KafkaPartition, position: int, epoch: int | None) -> None:
        here = TopicPartition(*place)
        self.read.pop(here, None)
        if epoch is not None:
            self.read[here] = position, epoch

    async def end_of_epoch(self, place: KafkaPartition, epoch: int) -> int | None:
        return self._log[TopicPartition(*place)].end_of_epoch(epoch)

    async def beginning_offsets(
        self, places: Collection[KafkaPartition]
    ) -> dict[KafkaPartition, int]:
        return {place: self._log[TopicPartition(*place)].begin for place in places}


def at_once(asked: Coroutine[Any, Any, Result]) -> Result:
    """What is asked of a log here has its answer at once."""
    with capture_logs():
        try:
            asked.send(None)
        except StopIteration as done:
            found: Result = done.value
            return found
    raise AssertionError("it waits for something")
