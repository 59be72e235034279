"""`ampgate topics create` on a cluster that allows less than what is asked for."""

import asyncio
import json
from pathlib import Path

from ampgate.check.topics import settings_of
from ampgate.topics import admin_client
from schemas.configuration.config import Kafka
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.processes import command


async def test_topics_are_created_with_what_the_cluster_allows_which_is_told(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    section = f"""
[kafka]
bootstrap_servers = "{kafka.bootstrap_servers}"
topic_prefix = "{topic_prefix}"
"""
    too_much = """
[kafka.topic_settings.all]
"replication.factor" = 9
"max.message.bytes" = 9_000_000_000
[kafka.topic_settings.dead-letters]
"no.such.setting" = true
"retention.ms" = 2_592_000_000
"""
    file = tmp_path / "ampgate.toml"
    file.write_text(section + too_much)

    done = command("topics", "create", "--json", configuration=file)
    assert done.returncode == 0, done.stderr
    told = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
    instead = told[f"{topic_prefix}dead-letters"]["instead"]
    assert instead["max.message.bytes"] == "8388608"
    assert instead["replication.factor"] in ("1", "3")
    assert instead["no.such.setting"] is None
    assert all(one["created"] for one in told.values())

    # What it advises is what the topics are: nothing is left to say.
    hint = done.stderr.split("configure:\n")[1]
    file.write_text(section + hint)
    assert "[kafka.topic_settings.events]" in hint

    async def wrong() -> list[str]:
        checked = await asyncio.to_thread(command, "check", "--json", configuration=file)
        findings = [json.loads(line) for line in checked.stdout.splitlines()]
        return [one["subject"] for one in findings if not one["ok"]]

    await seen(wrong, lambda found: found == ["sources", "destinations"])


async def test_a_topics_own_settings_are_taken_from_the_configuration(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    file = tmp_path / "ampgate.toml"
    file.write_text(f"""
[kafka]
bootstrap_servers = "{kafka.bootstrap_servers}"
topic_prefix = "{topic_prefix}"
[kafka.topic_settings.all]
"segment.ms" = 3_600_000
[kafka.topic_settings.dead-letters]
"retention.ms" = 2_592_000_000
""")
    assert command("topics", "create", configuration=file).returncode == 0

    connection = Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
    names = [connection.topics.events, connection.topics.dead_letters]
    async with admin_client(connection) as admin:
        found = await settings_of(admin, names)
    assert [found[name]["segment.ms"] for name in names] == ["3600000", "3600000"]
    assert [found[name]["retention.ms"] for name in names] == ["604800000", "2592000000"]
