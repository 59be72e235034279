"""What a fetch asks for and brings, and by which sign a log may have been cut."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, for_code

from schemas.records import Record


@dataclass(frozen=True, slots=True)
class Taken:
    """What was fetched: records, positions after them, and what went wrong, each by partition."""

    records: list[Sequence[Record]] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    errors: dict[TopicPartition, KafkaError] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Positions, too: of a batch that is passed over there is nothing else to tell."""
        return bool(self.records or self.errors or self.positions)

    def other_errors(
        self, believe: Callable[[TopicPartition, int, int | None], None]
    ) -> Iterator[tuple[TopicPartition, KafkaError]]:
        """Those that are no `NewLeaderError`: such a leader is believed, for who reads a log to its
        end takes what there is.
        """
        for place, error in self.errors.items():
            if isinstance(error, NewLeaderError):
                believe(place, error.position, error.epoch)
            else:
                yield place, error


class NewLeaderError(KafkaError):  # type: ignore[misc]  # aiokafka has no types.
    """Another leader wrote what comes next than what we read last: it may not have had that."""

    def __init__(self, position: int, last_epoch: int, epoch: int) -> None:
        super().__init__(f"epoch {epoch} after {last_epoch}")
        self.position = position
        self.last_epoch = last_epoch
        self.epoch = epoch


def is_by_another(position: int, epoch: int, read_to: int, last_epoch: int) -> bool:
    """Whether a leader wrote the record at this position whose log may not be what was read.

    `last_epoch` is that of the last record that was read, up to `read_to`.
    """
    if position > read_to:
        return False
    return epoch != last_epoch if position == read_to else epoch > last_epoch


class Fetchable(NamedTuple):
    """An assignment, as aiokafka's fetcher looks at it."""

    tps: Sequence[TopicPartition]
    state_value: Callable[[TopicPartition], Any]


def asked_by(request: Any) -> dict[TopicPartition, int]:  # noqa: ANN401  aiokafka's.
    """From where each partition is asked for in a fetch."""
    return {
        TopicPartition(topic, number): offset
        for topic, partitions in request.topics
        for number, offset, _ in partitions
    }


def told_by(answer: Any) -> dict[TopicPartition, tuple[Any, ...]]:  # noqa: ANN401  As above.
    """Of each partition in the answer to a fetch: its error, and the rest."""
    return {
        TopicPartition(topic, number): (for_code(code), *content)
        for topic, partitions in answer.topics
        for number, code, *content in partitions
    }
