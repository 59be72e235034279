"""Pulls of Amplemarket's tasks, on a real Kafka against the strict simulator."""

import json
from pathlib import Path

from ampgate.lab.simulators.amplemarket import Amplemarket, AmplemarketOptions
from tests.conftest import Broker
from tests.kafka.polling import AMPLEMARKET, polling, values
from tests.operating import Message, event

TASKS = 250


async def test_completed_tasks_are_events_once_and_contacts_are_user_properties(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Amplemarket(AmplemarketOptions(tasks=TASKS))
    async with polling(kafka, topic_prefix, tmp_path, system, AMPLEMARKET) as polled:
        await polled.once()
        events = {str(value["user_id"]): value for value in values(await polled.events())}
        assert len(events) == len(await polled.events()) == TASKS // 2
        third = events["lead3@firm.example"]
        assert third["event_type"] == "Amplemarket Task Completed"
        assert third["event_properties"] == system.tasks[3]
        assert third["time"] == 1_767_520_800_000  # 2026-01-04T10:00:00Z.

        contacts = {str(value["user_id"]): value for value in values(await polled.produced())}
        assert len(contacts) == TASKS
        tenth = json.loads(json.dumps(contacts["c10"]["user_properties"]))["$set"]
        assert (tenth["amplemarket_id"], tenth["amplemarket_email"]) == ("c10", None)

        system.tasks[3]["title"] = "Edited"
        system.tasks[4]["status"] = "completed"
        system.contacts["c5"]["title"] = "Head of Buying"
        await polled.once()
        assert len(await polled.events()) == TASKS // 2 + 1
        assert len(await polled.produced()) == TASKS + 1
        assert system.violations.first == []


async def test_contacts_that_webhooks_name_are_read_once_they_are_named(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Amplemarket(AmplemarketOptions(tasks=2))
    for name in ("first", "second"):
        system.contacts[name] = {"id": name, "email": f"{name}@firm.example"}
    async with polling(kafka, topic_prefix, tmp_path, system, AMPLEMARKET) as polled:
        topic = polled.here.config.kafka.topics.events
        await polled.here.produce(topic, [event("u"), webhook("first"), webhook("nobody")])
        assert "6 objects in 2 pages, 4 records" in await polled.once()
        await polled.here.produce(topic, [webhook("second")])
        await polled.once()
        await polled.once()
        users = [value["user_id"] for value in values(await polled.produced())]
        named = ["first@firm.example", "second@firm.example"]
        assert sorted(map(str, users)) == ["c0", named[0], "lead1@firm.example", named[1]]
        assert system.violations.first == []


def webhook(contact: str) -> Message:
    """What the edge stores of a webhook that names this contact."""
    properties = {"contact": {"id": contact}}
    return event(
        "lead@firm.example", event_type="Amplemarket Email Sent", event_properties=properties
    )
