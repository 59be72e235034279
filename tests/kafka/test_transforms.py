"""Routing and functions of a destination, from Kafka to what the simulators got."""

import json
from functools import partial
from pathlib import Path

from ampgate.trace.trace import ByInsertId, Search, trace
from ampgate.trace.whereabouts import State
from schemas.vendors.vendor import Events
from tests.eventually import seen
from tests.kafka.delivery_world import World
from tests.kafka.one_delivery import delivering
from tests.operating import AAMPE, AMPLITUDE, Operation, event

BROKEN = """
def for_aampe(event):
    if event["event_type"] == "Viewed":
        return None
    event["event_properties"] = {"total": event["event_properties"]["price"] * 2}
    return event
"""
MENDED = BROKEN.replace('["price"]', '.get("price", 0)')


HOSTILE = """
import sys

def for_aampe(event):
    match event["event_type"]:
        case "exits":
            sys.exit(1)
        case "interrupts":
            raise KeyboardInterrupt
        case "loops":
            while True:
                try:
                    pass
                except Exception:
                    pass
    return event
"""


def with_changes(world: World, module: str = "mapping_of_a_shop") -> World:
    """Aampe gets what the function makes of purchases and views; Amplitude all as it is."""
    changes = {"events": Events(deny=("debug_*",)), "transform": f"{module}:for_aampe"}
    destinations = tuple(
        one.model_copy(update=changes) if one.name == AAMPE else one
        for one in world.config.destinations
    )
    return World(world.config.model_copy(update={"destinations": destinations}), world.urls)


async def test_a_function_fails_for_one_record_is_mended_and_the_replay_delivers_it(
    world: World, tmp_path: Path
) -> None:
    world = with_changes(world)
    (module := tmp_path / "mapping_of_a_shop.py").write_text(BROKEN)
    topics = world.config.kafka.topics
    here = Operation(world.config)
    sent = [
        event("ann", insert_id="a", event_properties={"price": 2}),
        event("ann", insert_id="b", event_properties={"free": True}),
        event("ann", insert_id="c", event_type="Viewed"),
        event("ann", insert_id="d", event_type="debug_x"),
        event("ann", insert_id="e", event_properties={"price": 3}),
    ]
    async with delivering(world, tmp_path) as delivery:
        await here.produce(topics.events, sent)
        await world.until_accepted("amplitude", 5)
        await world.until_accepted("aampe", 2)
        (dead,) = await world.dead_letters(1)
        assert (dead["destination"], dead["reason"]) == (AAMPE, "transform_failed")
        assert dead["detail"] == "KeyError: 'price'"
        assert json.loads(dead["value"]) == json.loads(sent[1].value or b"")
        assert [one["metadata"] for one in await world.received("aampe")] == [
            {"total": 4},
            {"total": 6},
        ]

        module.write_text(MENDED)
        await delivery.reload(delivery.file.read_text())
        (apart := tmp_path / "apart").mkdir()
        (apart / module.name).write_text(MENDED)

        async def replayed() -> int:
            """Once the delivery has read the function anew; before, the record dies again."""
            ran = await here.run(apart, "dead-letters", "replay", "--yes")
            assert ran.exit_code == 0, ran.output
            return int((await world.stats("aampe"))["accepted"])

        await seen(replayed, lambda accepted: accepted == 3)
        assert (await world.received("aampe"))[-1]["metadata"] == {"total": 0}
        await seen(partial(states, world, "d"), lambda found: found[AAMPE][0] is State.SKIPPED)
        assert await states(world, "c") == {
            AMPLITUDE: (State.DELIVERED, None),
            AAMPE: (State.SKIPPED, "transform"),
        }
        assert (await states(world, "d"))[AAMPE] == (State.SKIPPED, "not_routed")
        await delivery.end()


async def test_a_function_that_never_returns_or_exits_costs_its_record_and_not_the_process(
    world: World, tmp_path: Path
) -> None:
    world = with_changes(world, "hostile_to_a_shop")
    (tmp_path / "hostile_to_a_shop.py").write_text(HOSTILE)
    types = ("exits", "interrupts", "loops", "Bought")
    sent = [event("ann", insert_id=one, event_type=one) for one in types]
    async with delivering(world, tmp_path) as delivery:
        await Operation(world.config).produce(world.config.kafka.topics.events, sent)
        await world.until_accepted("aampe", 1)
        await world.until_accepted("amplitude", 4)
        dead = await world.dead_letters(3)
        await delivery.end()
    assert {one["reason"] for one in dead} == {"transform_failed"}
    said = {json.loads(one["value"])["event_type"]: one["detail"] for one in dead}
    assert said["exits"] == "SystemExit: 1"
    assert said["interrupts"] == "RuntimeError: KeyboardInterrupt"
    assert said["loops"].startswith("NotReturnedError: it did not return within 5 s: it was at ")
    assert said["loops"].endswith("hostile_to_a_shop.py (for_aampe)")


async def states(world: World, insert_id: str) -> dict[str, tuple[State, str | None]]:
    found = await trace(world.config, Search(ByInsertId(insert_id)))
    return {one.destination: (one.state, one.reason) for one in found}
