"""What a simulated process reads: its topic, the parked records, and logs that were cut."""

from dataclasses import replace
from typing import TYPE_CHECKING

from aiokafka import TopicPartition as KafkaPartition

from consumers.delivery.moved import ParkedKeys, Settled
from consumers.delivery.offsets import Unfinished
from consumers.kafka.commit_notes import CommitNote
from consumers.kafka.letter_forms import is_original
from schemas.kafka.fetching.taken import NewLeaderError, is_by_another
from schemas.letters import TRUNCATED, LetterHeaders, is_reference
from schemas.records import TopicPartition
from tests.columns import columns_of
from tests.simulation.consumer import at_once
from tests.simulation.log import PARKED, TOPIC, Kept

if TYPE_CHECKING:
    from tests.simulation.process import Process

FETCH_MAX = 60
BY_COLUMNS = 0.8  # The share of reads whose records come as Kafka's do; the others as a list.


def read(process: "Process", place: TopicPartition) -> None:
    delivery, log, now = process.delivery, process.world.log[place], process.now
    if is_cut(process, place):
        restart(process, place)
        return
    if place.topic == TOPIC and (
        place.partition in process.scanning or not delivery.has_room or place in delivery.full()
    ):
        return
    if process.positions[place] >= log.end and place.partition not in process.scanning:
        return
    if process.positions[place] < log.begin:
        lose(process, place, log.begin)
    found = log.since(process.positions[place], process.world.random.randint(0, FETCH_MAX))
    # What another leader wrote is fetched for itself.
    end = log.end_of_epoch(log.epoch_at(process.positions[place]))
    assert end is not None
    fetched = [one for one in found if one.offset < end]
    if place.topic == PARKED:
        delivery.scan(fetched, now)
    else:
        by_columns = fetched and process.world.random.random() < BY_COLUMNS
        delivery.accept(columns_of(fetched) if by_columns else fetched, now)
    reached = fetched[-1].offset + 1 if fetched else process.positions[place]
    # Past the last record are markers of transactions only, which a fetch goes past.
    process.positions[place] = reached if log.between(reached, end) else end
    if process.positions[place] > 0:
        reached = process.positions[place]
        process.consumer.read[place] = reached, log.epoch_at(reached - 1)
    delivery.reached(place, process.positions[place])
    if place.topic == PARKED:
        end = process.scanning.get(place.partition)
        if end is not None and max(process.positions[place], log.begin) >= end:
            del process.scanning[place.partition]


def is_cut(process: "Process", place: TopicPartition) -> bool:
    """Whether its log has others now in place of what was read, as `Troubles` finds out."""
    log, position = process.world.log[place], process.positions[place]
    kafka_place = KafkaPartition(*place)
    if place in process.cut:
        return True
    if position > log.end:
        process.cut[place] = at_once(process.epochs.beyond(kafka_place, position, log.begin))
        return True
    read_to, last_epoch = process.consumer.read.get(place, (-1, -1))
    if position == log.end:
        return False
    epoch = log.epoch_at(position)
    if not is_by_another(position, epoch, read_to, last_epoch):
        return False
    found = NewLeaderError(read_to, last_epoch, epoch)
    at = at_once(process.epochs.continued(kafka_place, found))
    if at is not None:
        process.cut[place] = at
    return at is not None


def knows(process: "Process", place: TopicPartition) -> bool:
    """Whether what it has read is the beginning of the log that is there."""
    log, position = process.world.log[place], process.positions[place]
    if place in process.cut or position > log.end:
        return False
    read_to, epoch = process.consumer.read.get(place, (-1, -1))
    return read_to < position or log.has_all_of(epoch, position)


def restart(process: "Process", place: TopicPartition) -> None:
    """Its log was cut: it is read again from there, once what was read is settled."""
    process.delivery.cut(place)
    if process.delivery.restart(place):
        process.left[place] = None
        at = process.positions[place] = process.cut.pop(place)
        process.epochs.restarted(KafkaPartition(*place), at)
        commit_anew(process, place, min(process.world.log[place].committed, at))
        process.delivery.reached(place, at)


def commit_anew(process: "Process", place: TopicPartition, offset: int) -> None:
    """As if a log that was cut were committed at once: whose records are before it is known."""
    log, epoch = process.world.log[place], process.epochs.before(place, offset)
    log.committed = offset
    log.note = CommitNote(Unfinished(offset, ()), None, {}, at=process.now, epoch=epoch)


def look_elsewhere(process: "Process") -> None:
    """As `consumers/kafka/moved.py` does."""
    moved, log = process.delivery.moved, process.world.log
    settled = {place: Settled(one.committed, one.left) for place, one in log.places.items()}
    own = {place.partition: one for place, one in settled.items() if place.topic == TOPIC}
    parked = {place.partition: one for place, one in settled.items() if place.topic == PARKED}
    for number in moved.passed(own):
        found: ParkedKeys = {}
        for place, one in log.of(PARKED):
            for record in one.between(max(one.committed, one.begin), one.end):
                key = process.world.origins[record.name].key if record.name else None
                is_moved = key is not None and log.partition_of(key) == number
                if (
                    place.partition != number
                    and is_moved
                    and not parked[place.partition].has(record.offset)
                ):
                    found.setdefault(place.partition, {})[record.offset] = key or ""
        moved.found(number, found)
    moved.settled(parked)


def lose(process: "Process", place: TopicPartition, begin: int) -> None:
    """Retention was faster: whatever of it was not settled is lost, and counted."""
    first, left = process.positions[place], process.left.get(place)
    missed = [n for n in range(first, begin) if left is None or not left.has_settled(n)]
    lost = process.delivery.lose(place, first, begin)
    process.positions[place] = begin
    if place.topic == TOPIC:
        assert lost == len(missed), f"{lost} records count as lost, and {len(missed)} are"
        process.world.lost |= {
            record.name or ""
            for record in process.world.log[place].between(first, begin)
            if record.offset in missed
        }


def load(process: "Process", place: TopicPartition) -> None:
    offset = process.delivery.wanted_from(place.partition)
    log = process.world.log[place]
    records = log.since(offset, process.world.random.randint(1, FETCH_MAX))
    begins = max(offset, records[0].offset) if records else log.begin
    if begins > offset:
        process.delivery.lose(place, offset, begins)
    process.delivery.load([whole(process, record) for record in records], process.now)


def whole(process: "Process", record: Kept) -> Kept:
    """Of what is parked as a reference, the bytes are read from where they came."""
    origin = LetterHeaders.decoded(record.headers).origin if is_reference(record) else None
    if origin is None:
        return record
    log = process.world.log[origin.place]
    found = log.between(max(origin.offset, log.begin), origin.offset + 1)
    original = found[0] if found else None
    if original is None or not is_original(original, record):  # Its bytes are gone.
        process.world.lost.add(record.name or "")
        return record
    headers = [header for header in record.headers if header[0] != TRUNCATED]
    return replace(record, key=original.key, value=original.value, headers=headers)
