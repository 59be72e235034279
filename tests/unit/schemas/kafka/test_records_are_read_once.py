"""Each record is given out once, in order, and nothing that can be read is forgotten.

aiokafka's classes and ours run; only the brokers are made up. Steps in any order are followed by
reading all to its end.
"""

from collections.abc import Mapping, Sequence

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka.fetching.fetcher import IDLE_SECONDS
from tests.examples import examples
from tests.unit.schemas.kafka.checked_reading import reading
from tests.unit.schemas.kafka.made_up_client import NODES
from tests.unit.schemas.kafka.reading_steps import (
    NOT_ALLOWED,
    PLACES,
    UNKNOWN_SERVER_ERROR,
    Answer,
    Move,
    Rebalance,
    Step,
    Take,
    steps,
)
from tests.unit.schemas.kafka.stored_logs import PLAIN, Log, Write, writes


@given(
    st.fixed_dictionaries({place: st.lists(writes, min_size=1, max_size=8) for place in PLACES}),
    st.lists(steps, min_size=10, max_size=50),
)
@examples(200)
async def test_each_record_is_given_out_once_and_nothing_is_forgotten(
    written: Mapping[TopicPartition, Sequence[Write]], done: Sequence[Step]
) -> None:
    logs = {place: Log() for place in PLACES}
    for place, some in written.items():
        for one in some:
            logs[place].append(one)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("schemas.kafka.fetching.batches.AT_ONCE_BYTES_MAX", 300)
        patch.setattr("schemas.kafka.fetching.pieces.PIECE_BYTES", 30)
        async with reading(logs) as found:
            for step in done:
                await found.do(step)
            await found.read_to_the_end()


ONE = Write("ours", PLAIN, records=1, codec="none", gap=0, hole=0, is_elected=False)
FIRST = PLACES[0]
ALL = Take(frozenset(PLACES), records_max=100, bytes_max=10_000, waits=True)


def logs_of(*written: Write) -> dict[TopicPartition, Log]:
    """All of them alike."""
    logs = {place: Log() for place in PLACES}
    for log in logs.values():
        for one in written:
            log.append(one)
    return logs


async def test_a_control_batch_that_compaction_emptied_is_no_error() -> None:
    async with reading(logs_of(ONE._replace(kind="empty marker"), ONE)) as found:
        found.client.answer_promptly()
        taken = await found.consumer.take(PLACES, timeout_ms=20_000, records_max=9, bytes_max=99)

        assert not taken.errors


async def test_an_error_of_a_former_leader_ends_no_reading() -> None:
    async with reading(logs_of(ONE)) as found:
        former = next(at for at, (node, *_) in enumerate(found.client.asked) if node == NODES[0])
        await found.do(Move(FIRST, is_known=True))
        await found.do(Answer(1 - former, 1000, {}))  # It is asked next for what moved to it.
        await found.do(Answer(1, 1000, {}))
        await found.do(Answer(0, 1000, {FIRST: UNKNOWN_SERVER_ERROR}))

        await found.read_to_the_end()


async def test_no_error_of_a_revoked_partition_is_told() -> None:
    async with reading(logs_of(ONE)) as found:
        for _ in NODES:
            await found.do(Answer(0, 1000, dict.fromkeys(PLACES, NOT_ALLOWED)))
        await found.do(Rebalance(frozenset([FIRST]), is_prompt=True, takes=True))

        await found.read_to_the_end()


async def test_what_getmany_has_not_given_out_yet_does_not_give_way() -> None:
    async with reading(logs_of(ONE, ONE)) as found:
        found.client.answer_promptly()
        assert await found.consumer.getmany(FIRST, timeout_ms=20_000, max_records=1)
        for one in found.consumer._fetcher._records.values():
            one._created -= 2 * IDLE_SECONDS
        found.consumer._fetcher._asked_at -= 2 * IDLE_SECONDS

        assert not found.consumer._fetcher.give_way()
