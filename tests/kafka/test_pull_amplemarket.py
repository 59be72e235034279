"""Pulls of Amplemarket's tasks, on a real Kafka against the strict simulator."""

import json
from pathlib import Path

from ampgate.lab.simulators.amplemarket import Amplemarket, AmplemarketOptions
from tests.conftest import Broker
from tests.kafka.polling import AMPLEMARKET, polling, values

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
