"""What comes of a fetch: records, and errors as values, each by partition."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, OffsetResetStrategy
from aiokafka.errors import KafkaError, NoError, OffsetOutOfRangeError, for_code

from schemas.columns import Columns
from schemas.kafka.fetching import arrival  # noqa: F401  It reads our connections from now on.
from schemas.kafka.fetching.batches import Batches, MayHave
from schemas.kafka.fetching.budget import BUDGET
from schemas.kafka.fetching.fetched import FetchedRecords, UnreadableError
from schemas.kafka.fetching.taken import (
    Fetchable,
    NewLeaderError,
    Taken,
    asked_by,
    is_by_another,
    told_by,
)

# kafka.apache.org/protocol: from this version on, an answer has its aborted transactions here.
ABORTED_AT_FROM, ABORTED_AT = 11, 3
IDLE_SECONDS = 5.0  # Of a reader that takes nothing: what it has may give way to others.


class ErrorsAsValues(Fetcher):  # type: ignore[misc]  # aiokafka has no types.
    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  aiokafka's own.
        super().__init__(*arguments, **named)
        # Positions that `taken` has led to, and the epoch of the leader that wrote what is before.
        self.read_to: dict[TopicPartition, tuple[int, int]] = {}
        self.told_at: dict[TopicPartition, float] = {}  # By the last fetch, where each ends.
        self._wanted: Collection[TopicPartition] | None = None  # By the last `taken`, which was
        self._asked_at = time.monotonic()  # at this time.
        self._gave_way: set[TopicPartition] = set()  # Not fetched until they are wanted.
        self.may_have: Mapping[str, MayHave] = {}  # By topic of which not all is looked for.
        BUDGET.join(self)

    @property
    def held_bytes(self) -> int:
        """Of what was fetched and not taken yet."""
        found = [one for one in self._records.values() if isinstance(one, FetchResult)]
        parts = [one._partition_records for one in found if one.has_more()]  # noqa: SLF001
        return sum([part.held_bytes for part in parts])

    def give_way(self) -> bool:
        """Drop what was fetched of one partition that nobody wants now, if there is such."""
        for place, found in self._records.items():
            if isinstance(found, FetchResult) and self._is_idle(place, found):
                del self._records[place]
                self._gave_way.add(place)
                return True
        return False

    def _is_idle(self, place: TopicPartition, found: FetchResult) -> bool:
        if self._wanted is None:
            return False  # aiokafka's `getmany` would not fetch it again.
        if place not in self._wanted:
            return True
        since: float = max(self._asked_at, found._created)  # noqa: SLF001
        return time.monotonic() - since > IDLE_SECONDS

    def _get_actions_per_node(self, assignment: Any) -> Any:  # noqa: ANN401  aiokafka's.
        others = [place for place in assignment.tps if place not in self._gave_way]
        return super()._get_actions_per_node(Fetchable(others, assignment.state_value))

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:  # noqa: ANN401  aiokafka's.
        """Send a fetch to a node; returns whether it brought something to take.

        aiokafka's own only logs an error that it does not know, and fetches again at once.
        """
        try:
            return await self._fetched(assignment, node_id, request)
        except asyncio.CancelledError:
            return False  # It is closed, or has lost its partitions.

    async def _fetched(self, assignment: Any, node_id: int, request: Any) -> bool:  # noqa: ANN401  aiokafka's.
        try:
            answer = await self._client.send(node_id, request)
        except KafkaError:
            await asyncio.sleep(self._retry_backoff)
            return False
        if not assignment.active:
            return False
        has_news, is_moved = self._note(assignment, request, answer)
        if is_moved:
            self._client.force_metadata_update()
            await asyncio.sleep(self._retry_backoff)
        return has_news

    def _note(self, assignment: Any, request: Any, answer: Any) -> tuple[bool, bool]:  # noqa: ANN401  aiokafka's.
        """Keep what came; whether there is some, and whether another node has a partition now."""
        has_news = is_moved = False
        of_all = for_code(getattr(answer, "error_code", 0))
        told = told_by(answer)
        for place, offset in asked_by(request).items():
            state = assignment.state_value(place)
            is_at = state is not None and state.has_valid_position and state.position == offset
            if not is_at or place in self._records:
                continue  # It was sought elsewhere meanwhile, or came of its new leader.
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
        self.told_at[place] = time.monotonic()
        aborted = content[ABORTED_AT] if version >= ABORTED_AT_FROM else content[-2]
        batches = Batches(content[-1], self.may_have.get(place.topic))
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

    def _refused(self, state: Any, place: TopicPartition, error: type[KafkaError]) -> None:  # noqa: ANN401  aiokafka's.
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
        self._wanted, self._asked_at = partitions, time.monotonic()
        deadline = self._asked_at + seconds
        while True:
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
                self._records.clear()  # There may be errors of what was ours before.
            if not self._gave_way.isdisjoint(partitions):
                self._gave_way.difference_update(partitions)
                self._notify(self._wait_consume_future)
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
                if place in self._subscriptions.paused_partitions():
                    continue  # Sought elsewhere before it is resumed, it has none.
                taken.errors[place] = result._error  # noqa: SLF001
                self._forget(place)
            elif result.has_more() and result.check_assignment(place):
                records, size = self._take_of(place, result, taken, records_max, bytes_max)
                records_max -= records
                bytes_max -= size
            else:
                self._forget(place)
        BUDGET.changed()
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
        records = Columns.none_of(*place)
        left, is_all = bytes_max, False
        fetched: FetchedRecords = result._partition_records  # noqa: SLF001
        try:
            while records_max > 0 and left > 0 and not is_all:
                some, size = fetched.some(records_max, left)
                records.extend(some)
                records_max -= len(some)
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
