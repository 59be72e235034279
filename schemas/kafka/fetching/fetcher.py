"""What comes of a fetch: records, and errors as values, each by partition."""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, OffsetResetStrategy
from aiokafka.errors import KafkaError, NoError, OffsetOutOfRangeError, for_code

from schemas.kafka.fetching.batches import Batches
from schemas.kafka.fetching.fetched import FetchedRecords, UnreadableError
from schemas.records import Record

# kafka.apache.org/protocol: from this version on, an answer has its aborted transactions here.
ABORTED_AT_FROM, ABORTED_AT = 11, 3


@dataclass(frozen=True, slots=True)
class Taken:
    """What was fetched: records, positions after them, and what went wrong, each by partition."""

    records: list[Sequence[Record]] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    errors: dict[TopicPartition, KafkaError] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.records or self.errors)


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


class ErrorsAsValues(Fetcher):  # type: ignore[misc]  # aiokafka has no types.
    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  aiokafka's own.
        super().__init__(*arguments, **named)
        # Positions that `taken` has led to, and the epoch of the leader that wrote what is before.
        self.read_to: dict[TopicPartition, tuple[int, int]] = {}

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:  # noqa: ANN401  aiokafka's.
        """Send a fetch to a node; returns whether it brought something to take.

        aiokafka's own only logs an error that it does not know, and fetches again at once.
        """
        try:
            answer = await self._client.send(node_id, request)
            if not assignment.active:
                return False
            has_news, is_moved = self._note(assignment, request, answer)
            if is_moved:
                self._client.force_metadata_update()
                await asyncio.sleep(self._retry_backoff)
        except KafkaError:
            await asyncio.sleep(self._retry_backoff)
            return False
        except asyncio.CancelledError:
            return False  # It is closed, or has lost its partitions.
        return has_news

    def _note(self, assignment: Any, request: Any, answer: Any) -> tuple[bool, bool]:  # noqa: ANN401  aiokafka's.
        """Keep what came; whether there is some, and whether another node has a partition now."""
        has_news = is_moved = False
        asked = {
            TopicPartition(topic, number): offset
            for topic, partitions in request.topics
            for number, offset, _ in partitions
        }
        of_all = for_code(getattr(answer, "error_code", 0))
        told = {
            TopicPartition(topic, number): (for_code(code), *content)
            for topic, partitions in answer.topics
            for number, code, *content in partitions
        }
        for place, offset in asked.items():
            state = assignment.state_value(place)
            if state is None or not state.has_valid_position or state.position != offset:
                continue  # It was sought elsewhere meanwhile.
            error, *content = told.get(place, (of_all,))
            if error is NoError and content:
                has_news |= self._keep(assignment, place, answer.API_VERSION, content)
            elif error.invalid_metadata:
                is_moved = True
            elif error is not NoError:
                self._refused(state, place, error)
                has_news = True
        return has_news, is_moved

    def _keep(
        self,
        assignment: Any,  # noqa: ANN401  aiokafka's.
        place: TopicPartition,
        version: int,
        content: Sequence[Any],
    ) -> bool:
        """What came of one partition: its end, and records, if there are any."""
        state = assignment.state_value(place)
        state.highwater, state.lso = content[:2]
        state.timestamp = int(1000 * time.time())
        aborted = content[ABORTED_AT] if version >= ABORTED_AT_FROM else content[-2]
        batches = Batches(content[-1])
        if not batches.has_next():
            return False
        read_to, last_epoch = self.read_to.get(place, (-1, -1))
        epoch = batches.epoch
        if epoch is not None and is_by_another(state.position, epoch, read_to, last_epoch):
            self._set_error(place, NewLeaderError(read_to, last_epoch, epoch))
            return True
        records = FetchedRecords(
            place,
            batches,
            aborted,
            state.position,
            None,
            None,
            check_crcs=self._check_crcs,
            isolation_level=self._isolation_level,
        )
        self._records[place] = FetchResult(
            place,
            partition_records=records,
            assignment=assignment,
            backoff=self._prefetch_backoff,
        )
        return True

    def _refused(
        self,
        state: Any,  # noqa: ANN401  aiokafka's.
        place: TopicPartition,
        error: type[KafkaError],
    ) -> None:
        if error is not OffsetOutOfRangeError:
            self._set_error(place, error(place.topic))
        elif self._default_reset_strategy == OffsetResetStrategy.NONE:
            self._set_error(place, error({place: state.position}))
        else:
            state.await_reset(self._default_reset_strategy)

    async def taken(
        self,
        partitions: Collection[TopicPartition],
        seconds: float,
        records_max: int,
        bytes_max: int,
    ) -> Taken:
        deadline = time.monotonic() + seconds
        while True:
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
            taken = self._take(partitions, records_max, bytes_max)
            left = deadline - time.monotonic()
            if taken or left <= 0:
                return taken
            waiter = self._create_fetch_waiter()
            await asyncio.wait([waiter], timeout=left)
            if not waiter.done():
                waiter.cancel()
                return taken
            waiter.result()  # It raises what concerns the group.

    def _take(
        self, partitions: Collection[TopicPartition], records_max: int, bytes_max: int
    ) -> Taken:
        taken = Taken()
        for place in list(self._records):
            if place not in partitions:
                if not self._subscriptions.is_assigned(place):
                    del self._records[place]
                continue
            if records_max <= 0 or bytes_max <= 0:
                break
            result = self._records[place]
            if isinstance(result, FetchError):
                taken.errors[place] = result._error  # noqa: SLF001
                self._forget(place)
            elif result.has_more() and result.check_assignment(place):
                records, size = self._take_of(place, result, taken, records_max, bytes_max)
                records_max -= records
                bytes_max -= size
            else:
                self._forget(place)
        return taken

    def _take_of(
        self,
        place: TopicPartition,
        result: FetchResult,
        taken: Taken,
        records_max: int,
        bytes_max: int,
    ) -> tuple[int, int]:
        """How many records and bytes they were."""
        records: list[Record] = []
        left, is_all = bytes_max, False
        fetched: FetchedRecords = result._partition_records  # noqa: SLF001
        try:
            while len(records) < records_max and left > 0 and not is_all:
                some, size = fetched.some(records_max - len(records), left)
                records += some
                left -= size
                is_all = not some
        except UnreadableError as error:
            taken.errors[place] = error
            is_all = True
        result._update_position()  # noqa: SLF001
        taken.positions[place] = fetched.next_fetch_offset
        if fetched.epoch is not None:
            self.read_to[place] = fetched.next_fetch_offset, fetched.epoch
        if records:
            taken.records.append(records)
        if is_all:
            self._forget(place)
        return len(records), bytes_max - left

    def _forget(self, place: TopicPartition) -> None:
        """So that it is fetched again."""
        del self._records[place]
        self._notify(self._wait_consume_future)
