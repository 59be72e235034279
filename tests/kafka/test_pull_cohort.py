"""Pulls of a cohort, on a real Kafka against the strict simulator of Amplitude's read side."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ampgate.lab.simulators.reads.side import AmplitudeRead, AmplitudeReadOptions
from schemas.records import Stored
from tests.conftest import Broker
from tests.kafka.polling import COHORT, Polled, polling, values

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


async def test_a_file_that_is_cut_off_tells_of_nobody_that_they_left(
    cohort: Polled[AmplitudeRead],
) -> None:
    await cohort.once()
    cohort.system.cohorts.cut_bytes = 1_000
    status, _, said = await cohort.run("--once")
    assert (status, "the cohort's file" in said) == (1, True)
    assert len(await cohort.produced()) == MEMBERS
