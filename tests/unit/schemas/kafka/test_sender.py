"""Our sender, to a connection that is the test: what it sends, and what it leaves to aiokafka's."""

import asyncio
import struct

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from schemas.kafka.waiting_batches import Told
from tests.eventually import eventually
from tests.unit.schemas.kafka.made_up_connection import NODE, TOPIC, Connection, is_stored, opened

TOO_LARGE, NOT_LEADER = 10, 6  # Kafka's error codes.


async def test_all_that_waits_goes_in_one_request() -> None:
    connection = Connection()
    async with opened(connection) as one:
        waiting = [one.add(number, b"value %d" % number) for number in range(3)]
        await eventually(lambda: bool(connection.sent))
        connection.answer((0, 0), (1, 0), (2, 0))

    [message] = connection.sent
    assert struct.unpack_from(">i", message) == (len(message) - 4,)
    assert all(b"value %d" % number in message for number in range(3))
    assert all(is_stored(batch) for batch in waiting)


async def test_an_answer_and_the_next_request_take_one_step_of_the_loop() -> None:
    connection = Connection()
    async with opened(connection) as one:

        def follow(_: BaseException | None) -> None:
            one.add(0, b"follows")

        one.add(0, b"first", follow)
        await eventually(lambda: bool(connection.sent))
        other = one.add(1, b"waits")
        await asyncio.sleep(0)
        assert len(connection.sent) == 1, "one request a broker is in flight"
        connection.answer((0, 0))
        assert len(connection.sent) == 2
        assert b"follows" in connection.sent[1]
        assert b"waits" in connection.sent[1]
        connection.answer((0, 0), (1, 0))
    assert is_stored(other)


async def test_a_batch_that_kafka_refuses_fails_and_harms_nobody_beside_it() -> None:
    connection = Connection()
    async with opened(connection) as one:
        large, small = one.add(0, b"large"), one.add(1, b"small")
        await eventually(lambda: bool(connection.sent))
        connection.answer((0, TOO_LARGE), (1, 0))
        await asyncio.wait([large.future, small.future])
        later = one.add(0, b"later")
        await eventually(lambda: len(connection.sent) == 2)
        connection.answer((0, 0))

    assert isinstance(large.error, MessageSizeTooLargeError)
    assert is_stored(small)
    assert is_stored(later)


async def test_a_batch_that_kafka_will_take_later_is_sent_again_as_it_was() -> None:
    connection = Connection()
    async with opened(connection) as one:
        batch = one.add(0, b"value")
        await eventually(lambda: bool(connection.sent))
        connection.answer((0, NOT_LEADER))
        await eventually(lambda: len(connection.sent) == 2)
        connection.answer((0, 0))

    assert all(batch.get_data_buffer() in message for message in connection.sent)
    assert is_stored(batch)


@pytest.mark.parametrize("trouble", ["a closed connection", "no answer"])
async def test_a_batch_whose_answer_is_lost_is_sent_again_as_it_was(trouble: str) -> None:
    connection = Connection()
    timeout_ms = 10 if trouble == "no answer" else 30_000
    async with opened(connection, timeout_ms) as one:
        batch = one.add(0, b"value")
        await eventually(lambda: bool(connection.sent))
        if trouble == "a closed connection":
            connection.close()
        await asyncio.wait([batch.future])

    [again] = one.client.sent_by_aiokafka  # It connects anew.
    assert again._topics == [(TOPIC, [(0, batch.get_data_buffer())])]
    assert batch.get_data_buffer() in connection.sent[0], "with its number in the partition, too"
    assert is_stored(batch)


async def test_a_batch_for_a_connection_that_has_just_ended_is_sent_by_another() -> None:
    class Ended(Connection):
        def write(self, _message: bytes) -> None:
            raise RuntimeError("the handler is closed")  # As uvloop does.

    async with opened(Ended()) as one:
        batch = one.add(0, b"value")
        await asyncio.wait([batch.future])

    assert len(one.client.sent_by_aiokafka) == 1
    assert is_stored(batch)


@pytest.mark.parametrize("missing", ["connection", "leader", "version"])
async def test_aiokafka_sends_what_cannot_go_at_once(missing: str) -> None:
    connection = Connection((0, 5) if missing == "version" else (3, 13))
    async with opened(connection) as one:
        if missing == "connection":
            connection.is_open = False
        elif missing == "leader":
            one.client.cluster._partitions[TOPIC][0].leader = -1
        batch = one.add(0, b"value")
        if missing == "leader":
            await asyncio.sleep(0)
            one.client.cluster._partitions[TOPIC][0].leader = NODE
        await asyncio.wait([batch.future])

    assert is_stored(batch)


async def test_nothing_is_left_behind_when_it_ends_before_an_answer() -> None:
    connection = Connection()
    async with opened(connection) as one:
        batch = one.add(0, b"value")
        await eventually(lambda: bool(connection.sent))
        connection.answer((0, NOT_LEADER))  # It would be sent again in a moment.
    connection.close()

    assert not batch.is_over, "its connection's owner fails it"


async def test_all_that_waits_or_is_in_flight_fails_once_when_the_producer_ends() -> None:
    connection, told = Connection(), list[str]()
    async with opened(connection) as one:

        def tell(name: str) -> Told:
            def failed(error: BaseException | None) -> None:
                told.append(f"{name}: {error}")
                one.add(2, b"later")  # As a partition does that has more.

            return failed

        in_flight = one.add(0, b"value", tell("in flight"))
        await eventually(lambda: bool(connection.sent))
        waits = one.add(1, b"value", tell("waits"))
        one.batches.fail_all(KafkaConnectionError("ended"))
        await asyncio.wait([in_flight.future, waits.future])
        connection.answer((0, 0))  # Too late.
        await asyncio.sleep(0)

    assert sorted(told) == [f"{one}: KafkaConnectionError: ended" for one in ("in flight", "waits")]
    assert one.batches.has_ended
