"""Replays of dead letters, as tests run them."""

from ampgate.archive.archive import archive
from ampgate.cli.resending import say_refused
from ampgate.resend import letter_replay
from ampgate.resend.dead_letters import Filter
from ampgate.resend.letter_replay import Plan
from ampgate.resend.parking import Run
from ampgate.resend.writer import writer
from schemas.records import Stored
from tests.kafka.letters import NOW_MS
from tests.operating import Operation


async def replay(
    world: Operation, chosen: Filter | None = None, *, force: bool = False, at_ms: int = NOW_MS
) -> Plan:
    config = world.config
    async with archive(config.kafka) as kafka:
        prepared = await letter_replay.prepare(config, kafka, chosen or Filter(), force=force)
        plan = await prepared.plan(kafka)
        run = Run(config.kafka.topics.parked, at_ms)
        async with writer(
            config.kafka, rate=None, on_written=lambda _: None, on_refused=say_refused
        ) as writing:
            await prepared.send(kafka, run, writing)
    return plan


async def parked(world: Operation) -> list[Stored]:
    return await world.stored(world.config.kafka.topics.parked)
