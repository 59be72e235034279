"""What the tests of the operator's commands start from: topics, records, groups, a delivery."""

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import OffsetAndMetadata
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from ampgate import topics
from ampgate.archive.archive import archive
from ampgate.archive.batches import Wanted
from ampgate.cli import main as cli
from ampgate.lab.simulators.app import simulator_app, simulator_server
from ampgate.trace.trace import Search, Sought, trace
from ampgate.trace.whereabouts import State
from schemas.configuration.config import Config
from schemas.records import Stored
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.processes import running
from tests.loopback import loopback_client

HERE = "http://127.0.0.1:9"  # Nobody listens there.
AMPLITUDE, AAMPE = "amplitude-us", "aampe-us"


@dataclass(frozen=True, slots=True)
class Message:
    value: bytes | None
    key: bytes | None = None
    headers: Mapping[str, str] | None = None
    partition: int | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A Kafka with topics of its own, one Amplitude and one Aampe destination."""

    config: Config

    def url(self, destination: str) -> str:
        """Where that destination is."""
        return next(one.url for one in self.config.destinations if one.name == destination)

    async def produce(self, topic: str, messages: Sequence[Message]) -> list[str]:
        """Store them; where each is: `topic/partition/offset`."""
        if any(message.timestamp_ms is not None for message in messages):
            # Every five minutes the broker looks for what is too old to be kept.
            await alter(self, topic, **{"retention.ms": "-1"})
        producer = AIOKafkaProducer(bootstrap_servers=self.config.kafka.bootstrap_servers)
        async with producer:
            places = [
                await producer.send_and_wait(
                    topic,
                    value=message.value,
                    key=message.key,
                    partition=message.partition,
                    timestamp_ms=message.timestamp_ms,
                    headers=[(k, v.encode()) for k, v in (message.headers or {}).items()],
                )
                for message in messages
            ]
        return [f"{place.topic}/{place.partition}/{place.offset}" for place in places]

    async def commit(self, group_id: str, place: str, metadata: str = "") -> None:
        """As a consumer of the group would that has settled all before `place`."""
        topic, partition, offset = place.rsplit("/", 2)
        at = TopicPartition(topic, int(partition))
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.config.kafka.bootstrap_servers,
            group_id=group_id,
            enable_auto_commit=False,
        )
        consumer.assign([at])
        async with consumer:
            await consumer.commit({at: OffsetAndMetadata(int(offset), metadata)})

    async def stored(self, topic: str) -> list[Stored]:
        async with archive(self.config.kafka) as kafka:
            return await kafka.find(await kafka.spans(topic), Wanted())

    async def states(self, sought: Sought) -> dict[tuple[str, str], State]:
        """What became of the records, by destination and insert_id."""
        found = await trace(self.config, Search(sought))
        return {(one.destination, one.insert_id): one.state for one in found}

    def write(self, directory: Path) -> Path:
        """The configuration as the file that a process would read."""
        lines = [f"[kafka]\nbootstrap_servers = {self.config.kafka.bootstrap_servers!r}"]
        lines.append(f"topic_prefix = {self.config.kafka.topic_prefix!r}")
        lines.append('[delivery]\nadmin_host = "127.0.0.1"\nadmin_port = 0')
        for destination in self.config.destinations:
            lines.append("[[destinations]]")
            given = destination.model_dump(mode="json", exclude_unset=True)
            secrets = {name: getattr(destination, name) for name in given}
            given |= {
                name: secret.get_secret_value()
                for name, secret in secrets.items()
                if isinstance(secret, SecretStr)
            }
            lines += [f"{name} = {as_toml(value)}" for name, value in given.items()]
        file = directory / "ampgate.toml"
        file.write_text("\n".join(lines))
        return file

    async def run(self, directory: Path, *arguments: str) -> Result:
        """The command, with this configuration, as a script runs it."""
        environment = {"AMPGATE_CONFIG": str(self.write(directory))}
        return await asyncio.to_thread(
            CliRunner().invoke, cli.app, list(arguments), env=environment
        )

    async def run_at_terminal(
        self,
        directory: Path,
        *arguments: str,
        answer: str,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
    ) -> tuple[int, str]:
        """Its exit code and all that it said to somebody who types `answer`; `meanwhile` happens
        while its question stands there.
        """
        ours, theirs = os.openpty()
        try:
            process = await self.start(directory, *arguments, stdin=theirs)
            asked = b""
            if meanwhile is not None:
                assert process.stderr is not None
                asked = await process.stderr.readuntil(b"?")
                await meanwhile()
            os.write(ours, answer.encode())
            said = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
        finally:
            os.close(ours)
            os.close(theirs)
        assert process.returncode is not None
        return process.returncode, b"".join((asked, *said)).decode()

    async def start(self, directory: Path, *arguments: str, stdin: int | None = None) -> Process:
        """The command, as a process of its own."""
        environment = os.environ | {"AMPGATE_CONFIG": str(self.write(directory))}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ampgate", *arguments),
            env=environment,
            stdin=stdin,
            stdout=PIPE,
            stderr=PIPE,
        )

    @asynccontextmanager
    async def delivering(self, directory: Path) -> AsyncIterator[None]:
        """The real delivery process, until the end of the block; then it drains."""
        with running("deliver", configuration=self.write(directory)) as process:
            yield
            assert await asyncio.to_thread(process.stop) == 0, process.said


async def operation(
    kafka: Broker, prefix: str, amplitude: str = HERE, aampe: str = HERE
) -> Operation:
    reached = {"bootstrap_servers": kafka.bootstrap_servers, "topic_prefix": prefix}
    destinations = [
        {
            "name": AMPLITUDE,
            "type": "amplitude",
            "api_key": "k",
            "base_url": amplitude,
            "secret_key": "s",
            "read_url": amplitude,
        },
        {
            "name": AAMPE,
            "type": "aampe",
            "region": "us-east1",
            "api_key": "k",
            "base_url": aampe,
        },
    ]
    config = Config.model_validate({"kafka": reached, "destinations": destinations})
    await topics.create(config.kafka, partitions=3)
    return Operation(config)


async def alter(world: Operation, topic: str, **settings: str) -> None:
    """The topic has these settings; the others are the broker's own again."""
    async with topics.admin_client(world.config.kafka) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])


@asynccontextmanager
async def simulating(kind: str, accepted_keys: frozenset[str] | None = None) -> AsyncIterator[str]:
    """A simulator on a free port: its URL."""
    app = simulator_app(kind, accepted_keys=accepted_keys)
    server = simulator_server(app, host="127.0.0.1", port=0)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        app.close()


async def set_faults(url: str, *rules: Mapping[str, object]) -> None:
    async with loopback_client() as client:
        answer = await client.post(f"{url}/_faults", json={"seed": 1, "rules": rules})
    answer.raise_for_status()


async def received(url: str) -> list[dict[str, Any]]:
    """What a simulator accepted, in order."""
    async with loopback_client() as client:
        answer = await client.get(f"{url}/_received")
    return [json.loads(line) for line in answer.text.splitlines()]


def as_toml(value: object) -> str:
    """A value of JSON on one line; a `null` is left out."""
    if not isinstance(value, dict):
        return json.dumps(value)
    members = [(name, one) for name, one in value.items() if one is not None]
    return "{" + ", ".join(f"{json.dumps(name)} = {as_toml(one)}" for name, one in members) + "}"


def event(user: str, **members: object) -> Message:
    value = {"event_type": "Bought", "user_id": user, **members}
    return Message(json.dumps(value).encode(), user.encode())


def after(place: str) -> str:
    """The next place of the same partition."""
    partition, offset = place.rsplit("/", 1)
    return f"{partition}/{int(offset) + 1}"
