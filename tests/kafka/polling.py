"""What the tests of pulls start from: a Kafka, a simulated system, and `ampgate pull`."""

import asyncio
import json
import os
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ampgate.lab.chaos.wall_clock import WallClock
from ampgate.lab.simulators.amperity import Amperity
from ampgate.lab.simulators.amplemarket import Amplemarket
from ampgate.lab.simulators.app import SimulatorApp, simulator_server
from ampgate.lab.simulators.reads.side import AmplitudeRead
from schemas.records import Stored
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.operating import Operation, operation

AMPERITY = {
    "name": "vip",
    "type": "amperity",
    "tenant": "acme",
    "token": "t",
    "index": "idx-1a2b",
    "user_id": "email",
    "properties": ["ltv", "segment"],
}
COHORT = {
    "name": "cohort",
    "type": "amplitude-cohort",
    "api_key": "k",
    "secret_key": "s",
    "cohort": "cohort1",
    "property": "is_vip",
}
AMPLEMARKET = {"name": "sales", "type": "amplemarket", "api_key": "k"}
System = TypeVar("System", Amperity, Amplemarket, AmplitudeRead)


@dataclass(frozen=True, slots=True)
class Polled(Generic[System]):
    """A Kafka with topics of its own, and one pull of a simulated system."""

    here: Operation
    system: System
    pull: Mapping[str, object]
    directory: Path
    clock: WallClock | None = None  # The processes' own.

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """The command: its exit code, its output, and what it said beside."""
        process = await self.start(*arguments)
        out, said = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
        assert process.returncode is not None
        return process.returncode, out.decode(), said.decode()

    async def once(self) -> str:
        """One whole run: what it said of itself."""
        status, out, said = await self.run("--once")
        assert status == 0, said
        return out

    async def start(self, *arguments: str) -> Process:
        environment = os.environ | {"AMPGATE_CONFIG": str(self.write())}
        clock = self.clock
        command: list[str] = (
            ["ampgate.lab.chaos.wall_clock", str(clock.file)] if clock else ["ampgate"]
        )
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command, "pull", *arguments),
            env=environment,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def produced(self) -> Sequence[Stored]:
        return await self.here.stored(self.here.config.kafka.topics.user_properties)

    async def cursors(self) -> Sequence[Stored]:
        return await self.here.stored(self.here.config.kafka.topics.cursors)

    async def suppressions(self) -> Sequence[Stored]:
        return await self.here.stored(self.here.config.kafka.topics.suppressions)

    async def events(self) -> Sequence[Stored]:
        return await self.here.stored(self.here.config.kafka.topics.events)

    async def dead(self) -> Sequence[Stored]:
        return await self.here.stored(self.here.config.kafka.topics.dead_letters)

    def write(self) -> Path:
        """The configuration as a process reads it."""
        file = self.here.write(self.directory)
        admin = '[pull]\nadmin_host = "127.0.0.1"\nadmin_port = 0\n[[pulls]]'
        lines: list[str] = [f"{name} = {json.dumps(value)}" for name, value in self.pull.items()]
        file.write_text("\n".join([file.read_text(), admin, *lines]))
        return file


@asynccontextmanager
async def polling(
    kafka: Broker, prefix: str, directory: Path, system: System, pull: Mapping[str, object]
) -> AsyncIterator[Polled[System]]:
    app = SimulatorApp(system, time.time)
    server = simulator_server(app, host="127.0.0.1", port=0)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    path = "/api" if isinstance(system, Amperity) else ""
    url = f"http://127.0.0.1:{listening.getsockname()[1]}{path}"
    try:
        here = await operation(kafka, prefix)
        yield Polled(here, system, {"every": "1h", "base_url": url, **pull}, directory)
    finally:
        server.should_exit = True
        await serving
        app.close()


def values(records: Sequence[Stored]) -> list[dict[str, object]]:
    return [json.loads(record.value or b"") for record in records]
