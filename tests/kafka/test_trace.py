"""Where is my event? Answered from what stands in a real Kafka."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from ampgate.topics import admin_client
from ampgate.trace.trace import NEEDLES_MAX, ByInsertId, ByUser, Search, look, trace
from ampgate.trace.whereabouts import State
from consumers.delivery.clocks import Held
from consumers.delivery.offsets import Unfinished
from consumers.kafka.commit_notes import CommitNote, encoded
from schemas.topics import Kind
from tests.operating import AAMPE, AMPLITUDE, Message, Operation, after, event


async def test_what_no_destination_ever_read_is_unread(here: Operation) -> None:
    await here.produce(here.config.kafka.topics.events, [event("ann", insert_id="a")])

    assert await here.states(ByInsertId("a")) == {
        (AMPLITUDE, "a"): State.UNREAD,
        (AAMPE, "a"): State.UNREAD,
    }


async def test_what_waits_says_why_and_until_when(here: Operation) -> None:
    topics = here.config.kafka.topics
    in_flight, held, unread = await here.produce(
        topics.events, [event("ann", insert_id=name) for name in ("in_flight", "held", "unread")]
    )
    until = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC).timestamp()
    committed, waits_at, read_to = (int(one.rsplit("/", 1)[1]) for one in (in_flight, held, unread))
    left = Unfinished(read_to, [(committed, waits_at)])
    note = encoded(CommitNote(left, None, {waits_at: Held("user", "throttled", until)}), committed)
    await here.commit(topics.group_id(AMPLITUDE, Kind.EVENT), in_flight, note)

    found = await trace(here.config, Search(ByUser("ann")))
    assert [
        (one.insert_id, one.state, one.reason, one.until)
        for one in found
        if one.destination == AMPLITUDE
    ] == [
        ("in_flight", State.WAITING, "no_delivery_now", None),
        ("held", State.WAITING, "throttled", "2026-01-01T00:00:30.000Z"),
        ("unread", State.UNREAD, "no_delivery_now", None),
    ]


async def test_no_more_than_was_asked_for_is_kept_in_memory(here: Operation) -> None:
    """A short id is in the bytes of nearly every batch, and a user may have millions of records."""
    topics = here.config.kafka.topics
    mine = [event("7", insert_id=f"mine-{at}") for at in range(9)]
    places = await here.produce(topics.events, mine)
    about = {"destination": AMPLITUDE, "reason": "invalid_field", "attempts": "1"}
    letters = [replace(mine[8], headers=about | {"origin": places[8]})]
    theirs = [replace(event("u7"), headers=about | {"origin": "t/0/7"})] * 3
    for topic in (topics.dead_letters, topics.parked):
        await here.produce(topic, [*theirs, *letters])

    found = await look(here.config, Search(ByUser("7"), limit=2))
    assert [one.offset for one in found.lines if one.destination == AMPLITUDE] == [7, 8]
    assert len(found.records) <= 4
    assert [one.header("origin") for one in (*found.letters, *found.parked)] == [places[8]] * 2


async def test_a_parked_record_waits_until_its_group_has_settled_it(here: Operation) -> None:
    topics = here.config.kafka.topics
    (origin,) = await here.produce(topics.events, [event("ann", insert_id="a")])
    await here.commit(topics.group_id(AMPLITUDE, Kind.EVENT), after(origin))
    headers = {
        "destination": AMPLITUDE,
        "reason": "daily_quota",
        "origin": origin,
        "not_before": "2026-01-01T01:00:00.000Z",
    }
    (parked,) = await here.produce(topics.parked, [replace(event("ann"), headers=headers)])

    waiting = await trace(here.config, Search(ByInsertId("a")))
    assert [(one.state, one.reason, one.until) for one in waiting] == [
        (State.WAITING, "daily_quota", "2026-01-01T01:00:00.000Z"),
        (State.UNREAD, "no_delivery_yet", None),
    ]

    await here.commit(topics.group_id(AMPLITUDE, Kind.EVENT), after(parked))
    assert (await here.states(ByInsertId("a")))[AMPLITUDE, "a"] == State.DELIVERED


async def test_a_record_without_key_or_insert_id_is_found(here: Operation) -> None:
    keyless = Message(event("ann").value)
    (place,) = await here.produce(here.config.kafka.topics.events, [keyless])

    assert set(await here.states(ByInsertId(place))) == {(AMPLITUDE, place), (AAMPE, place)}
    found = await trace(here.config, Search(ByUser("ann", everywhere=True)))
    assert {one.insert_id for one in found} == {place}


@pytest.mark.parametrize("spelled", ["plain-1", "a/b", "größe", 'quo"te'])
async def test_an_insert_id_is_found_however_it_is_written(here: Operation, spelled: str) -> None:
    values = [
        json.dumps(
            {"event_type": "x", "user_id": "ann", "insert_id": spelled}, ensure_ascii=escaped
        )
        for escaped in (True, False)
    ]
    values.append(values[0].replace("/", "\\/"))
    topic = here.config.kafka.topics.events
    await here.produce(topic, [Message(value.encode(), b"ann") for value in values])

    found = await trace(here.config, Search(ByInsertId(spelled)))
    assert len([one for one in found if one.destination == AMPLITUDE]) == 3


async def test_a_record_under_another_users_key_is_found_everywhere(here: Operation) -> None:
    wrong = Message(event("ann").value, b"not-ann")
    (place,) = await here.produce(here.config.kafka.topics.events, [wrong])

    found = await trace(here.config, Search(ByUser("ann", everywhere=True)))
    assert {one.insert_id for one in found} == {place}


async def test_what_another_region_took_is_skipped_for_that(here: Operation) -> None:
    (_, aampe) = here.config.destinations
    at_home = aampe.model_copy(update={"where": {"country": ("Germany",)}})
    abroad = at_home.model_copy(update={"name": "aampe-eu", "where": {"country": ("France",)}})
    world = Operation(here.config.model_copy(update={"destinations": (at_home, abroad)}))
    topics = world.config.kafka.topics
    (french, finnish) = await world.produce(
        topics.events, [event("ann", country="France"), event("ann", country="Finland")]
    )
    for one in (at_home, abroad):
        await world.commit(topics.group_id(one.name, Kind.EVENT), after(finnish))

    found = await trace(world.config, Search(ByUser("ann")))
    assert [(one.insert_id, one.destination, one.state, one.reason) for one in found] == [
        (french, "aampe-us", State.SKIPPED, "other_region"),
        (french, "aampe-eu", State.DELIVERED, None),
        (finnish, "aampe-us", State.SKIPPED, "no_region"),
        (finnish, "aampe-eu", State.SKIPPED, "no_region"),
    ]


async def test_a_dead_record_is_found_after_its_topic_has_lost_it(here: Operation) -> None:
    topics = here.config.kafka.topics
    (place,) = await here.produce(topics.events, [Message(event("ann").value, b"ann")])
    await here.produce(
        topics.dead_letters,
        [
            replace(event("ann"), headers={"destination": AMPLITUDE, "reason": "r", "origin": o})
            for o in (place, f"{topics.events}/99/0", "elsewhere/0/0")
        ],
    )
    for name in (AMPLITUDE, AAMPE):
        await here.commit(topics.group_id(name, Kind.EVENT), after(place))
    _, partition, offset = place.rsplit("/", 2)
    until = RecordsToDelete(before_offset=int(offset) + 1)
    async with admin_client(here.config.kafka) as admin:
        await admin.delete_records({TopicPartition(topics.events, int(partition)): until})

    for sought in (ByUser("ann"), ByInsertId(place)):
        found = await trace(here.config, Search(sought))
        assert [(one.insert_id, one.destination, one.state, one.reason) for one in found] == [
            (place, AMPLITUDE, State.DEAD, "r"),
            (place, AAMPE, State.DELIVERED, None),
        ]


async def test_a_time_before_all_kafkas_is_the_beginning(here: Operation, tmp_path: Path) -> None:
    await here.produce(here.config.kafka.topics.events, [event("ann")])

    ran = await here.run(tmp_path, "trace", "--user", "ann", "--since", "99999d")
    assert ran.exit_code == 0, ran.exception


async def test_only_records_since_then_are_shown(here: Operation) -> None:
    old = replace(event("ann", insert_id="old"), timestamp_ms=1_000)
    new = replace(event("ann", insert_id="new"), timestamp_ms=2_000)
    await here.produce(here.config.kafka.topics.events, [old, new])

    found = await trace(here.config, Search(ByUser("ann"), since_ms=2_000))
    assert {one.insert_id for one in found} == {"new"}


async def test_what_the_edge_refused_is_dead_at_the_edge(here: Operation) -> None:
    headers = {"destination": "edge", "reason": "missing_event_type", "origin": "edge"}
    value = b'{"user_id":"ann","insert_id":"a"}'
    (place,) = await here.produce(
        here.config.kafka.topics.dead_letters, [Message(value, headers=headers)]
    )

    for sought in (ByUser("ann"), ByInsertId("a")):
        (found,) = await trace(here.config, Search(sought))
        assert (found.destination, found.state) == ("edge", State.DEAD)
        assert (found.reason, f"{found.topic}/{found.partition}/{found.offset}") == (
            "missing_event_type",
            place,
        )


async def test_one_dead_record_of_many_is_found(here: Operation) -> None:
    topics = here.config.kafka.topics
    names = [str(number) for number in range(NEEDLES_MAX + 10)]
    places = await here.produce(topics.events, [event("ann", insert_id=name) for name in names])
    headers = {"destination": AAMPE, "reason": "invalid_field", "origin": places[7]}
    await here.produce(topics.dead_letters, [replace(event("ann"), headers=headers)])

    found = await trace(here.config, Search(ByUser("ann")))
    assert [(one.insert_id, one.destination) for one in found if one.state == State.DEAD] == [
        (names[7], AAMPE)
    ]
    assert len(found) == 2 * len(names)


async def test_only_committed_records_are_found(here: Operation) -> None:
    topic = here.config.kafka.topics.events
    servers = here.config.kafka.bootstrap_servers
    await here.produce(topic, [event("ann", insert_id="plain")])
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic) as producer:
        for insert_id, is_kept in (("aborted", False), ("kept", True), ("aborted too", False)):
            message = event("ann", insert_id=insert_id)
            await producer.begin_transaction()
            await producer.send_and_wait(topic, message.value, message.key)
            await (producer.commit_transaction() if is_kept else producer.abort_transaction())
        await producer.begin_transaction()
        open_one = event("ann", insert_id="open")
        await producer.send_and_wait(topic, open_one.value, open_one.key)

        found = await trace(here.config, Search(ByUser("ann")))
        await producer.abort_transaction()

    assert {one.insert_id for one in found} == {"plain", "kept"}
