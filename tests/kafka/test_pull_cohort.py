"""Pulls of a cohort, on a real Kafka against the strict simulator of Amplitude's read side."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ampgate.lab.chaos.wall_clock import WallClock
from ampgate.lab.simulators.amperity import Amperity, AmperityOptions
from ampgate.lab.simulators.reads.side import AmplitudeRead, AmplitudeReadOptions
from gateway.pulls import amplitude_cohort, metrics, server
from schemas.configuration.file import load
from schemas.kafka.partitioner import positive_hash
from schemas.records import Stored
from tests.conftest import Broker
from tests.kafka.polling import AMPERITY, COHORT, Polled, polling, values
from tests.operating import Message, set_faults

MEMBERS = 12_000


@pytest.fixture
async def cohort(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Polled[AmplitudeRead]]:
    system = AmplitudeRead(AmplitudeReadOptions(members=MEMBERS))
    async with polling(kafka, topic_prefix, tmp_path, system, COHORT) as polled:
        yield polled


def told(records: Sequence[Stored]) -> list[tuple[object, object]]:
    return [(value["user_id"], value["user_properties"]) for value in values(records)]


async def test_who_entered_and_who_left_is_told_once(cohort: Polled[AmplitudeRead]) -> None:
    await cohort.once()
    first = await cohort.produced()
    inside, outside = {"$set": {"is_vip": True}}, {"$set": {"is_vip": False}}
    assert sorted(told(first)) == sorted(
        (member, inside) for member in cohort.system.cohorts.members
    )

    before = set(cohort.system.cohorts.members)
    left = set(sorted(before)[: MEMBERS * 3 // 10])
    entered = {f"new{number}@shop.example" for number in range(MEMBERS // 10)}
    cohort.system.cohorts.members = before - left | entered
    await cohort.once()
    changes = await cohort.produced()
    known = {(record.partition, record.offset) for record in first}
    news = told([one for one in changes if (one.partition, one.offset) not in known])
    wanted = [*((one, outside) for one in left), *((one, inside) for one in entered)]
    assert sorted(news) == sorted(wanted)

    await cohort.once()
    assert len(await cohort.produced()) == len(changes)
    assert cohort.system.violations.first == []


async def test_a_dry_run_shows_who_left_and_asks_no_more_often_than_a_run(
    kafka: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 requests in 10 minutes are all that there are for the key."""
    system = AmplitudeRead(AmplitudeReadOptions(members=20, job_seconds=1.0))
    monkeypatch.setattr(amplitude_cohort, "POLL_SECONDS", 0.4)
    async with polling(kafka, topic_prefix, tmp_path, system, COHORT) as polled:
        config = load(polled.write(), {}, frozenset())

        async def dry_run() -> Sequence[object]:
            shown: list[bytes] = []
            await server.preview(config, (), lambda: config, shown.append)
            return [json.loads(one)["user_properties"] for one in shown]

        asked = metrics.REQUESTS.labels("cohort", "202")
        before = asked._value.get()
        assert await dry_run() == [{"$set": {"is_vip": True}}] * 20
        assert asked._value.get() - before <= 1 + 1.0 / 0.4 + 1

        monkeypatch.setattr(system.cohorts, "_job_seconds", 0.0)
        await polled.once()
        system.cohorts.members -= {"user3@shop.example"}
        assert await dry_run() == [{"$set": {"is_vip": False}}]
        assert len(await polled.produced()) == 20


async def test_what_another_system_had_under_the_name_has_not_left_the_cohort(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    """The ids of its objects are no users: a pull's type was changed in the configuration."""
    named = {"name": "same"}
    profiles = Amperity(AmperityOptions(profiles=20))
    async with polling(kafka, topic_prefix, tmp_path, profiles, {**AMPERITY, **named}) as polled:
        await polled.once()
        before = {(one.partition, one.offset) for one in await polled.produced()}
    cohort = AmplitudeRead(AmplitudeReadOptions(members=5))
    async with polling(kafka, topic_prefix, tmp_path, cohort, {**COHORT, **named}) as members:
        await members.once()
        await members.once()
        produced = await members.produced()
        news = [one for one in produced if (one.partition, one.offset) not in before]
        inside = {"$set": {"is_vip": True}}
        assert sorted(told(news)) == sorted((one, inside) for one in cohort.cohorts.members)
        assert 0 not in [one["time"] for one in values(news)]


async def test_a_file_that_is_cut_off_tells_of_nobody_that_they_left(
    cohort: Polled[AmplitudeRead],
) -> None:
    await cohort.once()
    cohort.system.cohorts.cut_bytes = 1_000
    status, _, said = await cohort.run("--once")
    assert (status, "the cohort's file" in said) == (1, True)
    assert len(await cohort.produced()) == MEMBERS


async def test_a_run_that_would_pass_the_downloads_of_the_month_says_so_and_asks_nothing(
    cohort: Polled[AmplitudeRead], tmp_path: Path
) -> None:
    clock = WallClock(tmp_path / "clock")  # The month must not end meanwhile.
    clock.add()
    clock.set(datetime(2026, 1, 15, tzinfo=UTC).timestamp() - time.time())
    cohort = replace(cohort, clock=clock)
    stood = {"run": 7, "began": 1.0, "finished": 2.0, "month": "2026-01", "spent": 499}
    topic = cohort.here.config.kafka.topics.cursors
    partition = positive_hash(b"cohort") % 3
    noted = Message(json.dumps(stood).encode(), b"cohort", None, partition)
    await cohort.here.produce(topic, [noted])
    await cohort.once()  # The last one that is allowed.
    status, _, said = await cohort.run("--once")
    assert (status, "monthly_budget" in said) == (1, True), said
    assert cohort.system.cohorts.downloads == 1


async def test_a_link_that_has_expired_is_asked_for_again_and_counts_as_one_download(
    cohort: Polled[AmplitudeRead],
) -> None:
    """It is good for a minute: a request that waits for its turn may come later."""
    expired = {"match": {"path": "/signed/req0"}, "times": 2, "effect": {"kind": "expire"}}
    await set_faults(str(cohort.pull["base_url"]), expired)
    await cohort.once()
    assert len(await cohort.produced()) == MEMBERS
    assert cohort.system.cohorts.downloads == 1
    assert cohort.system.violations.first == []
    [standing] = [json.loads(one.value or b"") for one in (await cohort.cursors())[-1:]]
    assert standing["spent"] == 1
