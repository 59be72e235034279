"""What a commit has no room to say is a record among the parked: next owner and trace read it."""

import asyncio
import json
import time
from collections.abc import Mapping
from random import Random

from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition

from ampgate.archive.archive import archive
from ampgate.trace.commits import progress_in
from ampgate.trace.trace import ByUser, Search, trace
from ampgate.trace.whereabouts import State
from consumers.delivery.delivery import Delivery
from consumers.delivery.offsets import Unfinished
from consumers.destinations.aampe.events import AampeEvents
from consumers.kafka.commit_notes import CommitNote, decoded, encoded
from consumers.kafka.notes import Committed, Notes
from consumers.kafka.reader import Reader
from consumers.metrics import Counts
from consumers.progress import Progress
from schemas.kafka.login import client_arguments
from schemas.records import TopicPartition
from schemas.topics import Kind
from schemas.vendors.aampe import AampeDestination
from tests.eventually import DEADLINE_SECONDS
from tests.operating import AAMPE, Operation

RECORDS = 30_000  # Half of them settled at random is one bit each, which nothing can compress.
LAST = 100


async def test_a_note_too_long_for_a_commit_is_read_back_by_the_next_owner_and_by_trace(
    here: Operation,
) -> None:
    topics = here.config.kafka.topics
    now_ms = int(time.time() * 1000)
    place = await produce(here, topics.events, now_ms)
    random = Random(1)
    unsettled = [(at, at) for at in range(RECORDS) if random.random() < 0.5]
    former = Unfinished(RECORDS, unsettled)
    group_id = topics.group_id(AAMPE, Kind.EVENT)

    delivery = await handed_over(here, group_id, place, former)

    async with archive(here.config.kafka) as kafka:
        committed = (await kafka.committed(group_id, topics.events))[place.partition]
        short = decoded(committed.metadata, committed.offset)
        progress = await progress_in(kafka, group_id, topics.events, topics.parked)
    left = delivery.unfinished(place)
    assert short is not None
    assert short.kept is not None
    assert short.left != left
    notes = Notes(client_arguments(here.config.kafka), group_id, topics.parked)
    read = await notes.read([KafkaPartition(*place)])
    for note in (read[place].note, progress[place.partition].note):
        assert note is not None
        assert note.left == left
    found = await trace(here.config, Search(ByUser("ann"), since_ms=now_ms + 1))
    states = {one.offset: one.state for one in found if one.destination == AAMPE}
    assert states == {
        at: State.DELIVERED if former.has_settled(at) else State.WAITING
        for at in range(RECORDS - LAST, RECORDS)
    }


async def test_a_kept_note_that_is_not_there_any_more_keeps_nobody_from_reading(
    here: Operation,
) -> None:
    """As in a topic that was made anew, where the end of a transaction has its offset."""
    kafka = here.config.kafka
    parked = KafkaPartition(kafka.topics.parked, 0)
    async with (
        AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers, transactional_id=kafka.topics.parked
        ) as producer,
        producer.transaction(),
    ):
        stored = await producer.send_and_wait(parked.topic, b"another's", partition=0)
    place = KafkaPartition(kafka.topics.events, 0)
    note = CommitNote(Unfinished(9, [(7, 8)]), None, {}, kept=stored.offset + 1)
    group_id = kafka.topics.group_id(AAMPE, Kind.EVENT)
    await here.commit(group_id, f"{place.topic}/0/7", encoded(note, 7))

    notes = Notes(client_arguments(kafka), group_id, parked.topic)
    assert await notes.read([place]) == {TopicPartition(*place): Committed(7, note)}


async def produce(here: Operation, topic: str, now_ms: int) -> TopicPartition:
    """All of one user; the last ones can be told by their time."""
    servers = here.config.kafka.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, linger_ms=5) as producer:
        sent = [
            await producer.send(
                topic,
                json.dumps({"event_type": "x", "user_id": "ann", "insert_id": f"n{n}"}).encode(),
                b"ann",
                timestamp_ms=now_ms + (n >= RECORDS - LAST),
            )
            for n in range(RECORDS)
        ]
        stored = (await asyncio.gather(*sent))[-1]
    return TopicPartition(topic, stored.partition)


async def handed_over(
    here: Operation, group_id: str, place: TopicPartition, former: Unfinished
) -> Delivery:
    """An owner reads a whole partition, and gives it away before it has sent anything more."""
    kafka = here.config.kafka
    [aampe] = [one for one in here.config.destinations if isinstance(one, AampeDestination)]
    delivery = Delivery(
        AampeEvents(aampe),
        topic=kafka.topics.events,
        parked_topic=kafka.topics.parked,
        memory_max_bytes=10**9,
        random=Random(1),
    )

    def assigned(committed: Mapping[TopicPartition, Committed]) -> None:
        for one in committed:
            delivery.assign(one, 0, former if one == place else None)

    reader = Reader(kafka, kafka.topics.events, kafka.topics.parked, group_id, assigned, nothing)
    await reader.start()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while delivery.committable().get(place) is None or not has_read(delivery, place):
                for records in (await reader.read(full=(), records_max=4000)).records:
                    delivery.accept(records, time.time())
        await Progress(delivery, reader, Counts(AAMPE, Kind.EVENT), time.time).hand_over()
    finally:
        await reader.stop()
    return delivery


def has_read(delivery: Delivery, place: TopicPartition) -> bool:
    return delivery.unfinished(place).read_to == RECORDS


async def nothing(_: object) -> None:
    pass
