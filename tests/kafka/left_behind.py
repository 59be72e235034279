"""Destinations with offsets and parked records, for tests."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from schemas.letters import LetterHeaders, Origin
from schemas.topics import Kind
from tests.operating import AMPLITUDE, Message, Operation, event

NEW = "amplitude-new"


def without(world: Operation, *names: str) -> Operation:
    """The same Kafka, with these destinations taken out of the configuration."""
    kept = [one for one in world.config.destinations if one.name not in names]
    return replace(world, config=world.config.model_copy(update={"destinations": tuple(kept)}))


def parked_for(destination: str, place: str, user: str, *, in_seconds: float = -1.0) -> Message:
    """What a delivery parks of the record at this place."""
    origin = Origin.parse(place)
    assert origin is not None
    said = LetterHeaders(
        destination=destination,
        reason="throttled",
        detail="",
        origin=origin,
        attempts=1,
        first_failed_at=time.time(),
        accepted_at=time.time(),
        not_before=time.time() + in_seconds,
    )
    headers = {name: (value or b"").decode() for name, value in said.encoded([])}
    body = event(user, insert_id=f"parked-{user}-{place}")
    return replace(body, headers=headers, partition=origin.place.partition)


async def standings(world: Operation, directory: Path) -> dict[str, Mapping[str, object]]:
    ran = await world.run(directory, "destinations", "list", "--json")
    assert ran.exit_code == 0, ran.output
    return {line["destination"]: line for line in map(json.loads, ran.stdout.splitlines())}


async def stocked(world: Operation, parked: int = 5) -> list[str]:
    """Ten events of one user, six of them settled by Amplitude's group, and some parked."""
    topics = world.config.kafka.topics
    places = await world.produce(topics.events, [event("ann", n=n) for n in range(10)])
    await world.commit(topics.group_id(AMPLITUDE, Kind.EVENT), places[6])
    await world.produce(
        topics.parked, [parked_for(AMPLITUDE, place, "ann") for place in places[:parked]]
    )
    return places
