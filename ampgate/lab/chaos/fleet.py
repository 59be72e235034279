"""The edges, which share a port, and the deliveries, which share their groups, as processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from pyreqwest.exceptions import PyreqwestError

from ampgate.errors import CommandError
from ampgate.lab import parent_death
from ampgate.lab.chaos import wall_clock
from ampgate.lab.chaos.asking import ask
from ampgate.lab.chaos.configuration import CONFIGURATION, PULL_TOPIC_PREFIX, PULLS, SPOOL
from ampgate.lab.chaos.wall_clock import WallClock
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Config
from schemas.configuration.file import load

POLL_SECONDS = 0.05
READY_SECONDS = 300.0  # Kafka may be away meanwhile.
# A delivery drains for 20 s, commits for 5, leaves its groups for 15; a slow machine takes more.
STOP_SECONDS = 120.0
LISTENING = '"message": "listening"'
KEY = "chaos"
DESTINATIONS = ("amplitude-chaos", "aampe-chaos")


@dataclass(frozen=True, slots=True)
class Member:
    """A process of ours. What it says is in `log`."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def require_alive(self) -> None:
        status = self.process.poll()
        if status is not None:
            raise CommandError(f"{self.name} ended with status {status}: see {self.log}")


@dataclass(slots=True)
class Fleet:
    """Starts and ends members; `troubles` tells of those that did not end as they should."""

    directory: Path
    edge_port: int
    has_spool: bool = False  # Then the edges accept events while Kafka is away.
    edges: list[Member] = field(default_factory=list)
    deliveries: list[Member] = field(default_factory=list)
    pulls: list[Member] = field(default_factory=list)
    simulators: dict[str, Member] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    ready: set[str] = field(default_factory=set)  # By name; before that, SIGHUP ends a process.
    _started: int = 0
    _text: str = ""  # The configuration, but for what changes while all runs.

    @property
    def edge_url(self) -> str:
        return f"http://127.0.0.1:{self.edge_port}"

    def configure(
        self, bootstrap_servers: str, topic_prefix: str, ways: Mapping[str, str] | None = None
    ) -> Config:
        """What all members read; the simulators run by now. `ways` are the URLs that lead to
        them, by kind; by default their own.
        """
        text = CONFIGURATION + (PULLS if "amperity" in self.simulators else "")
        urls = {kind: simulator.url for kind, simulator in self.simulators.items()}
        self._text = text.format(
            bootstrap_servers=bootstrap_servers,
            topic_prefix=topic_prefix,
            edge_port=self.edge_port,
            spool=SPOOL.format(directory=self.directory / "spool") if self.has_spool else "",
            gzip="{gzip}",
            **(ways or urls),
        )
        self._write(gzip=True)
        return load(self._file, {})

    def reload(self, *, gzip: bool) -> None:
        """Tell all to read another configuration."""
        self._write(gzip=gzip)
        for member in (*self.edges, *self.deliveries, *self.pulls):
            if member.name in self.ready:
                member.process.send_signal(signal.SIGHUP)

    @property
    def _file(self) -> Path:
        return self.directory / "ampgate.toml"

    def _write(self, *, gzip: bool) -> None:
        """At once: a process may be about to read it."""
        new = self._file.with_suffix(".new")
        new.write_text(self._text.format(gzip=str(gzip).lower()))
        new.replace(self._file)

    def clock(self, kind: str) -> WallClock:
        """That of all members of this kind."""
        return WallClock(self.directory / f"{kind}.clock")

    def logs(self, kind: str) -> list[Path]:
        """Of all members of this kind, also of those that have ended."""
        return list(self.directory.glob(f"{kind}-*.log"))

    async def start_edge(self) -> Member:
        """Return once it listens."""
        edge = self._spawn_ours("edge", self.edge_port, "edge")
        self.edges.append(edge)
        await self._until(edge, lambda: asyncio.to_thread(_says, edge.log, LISTENING))
        return edge

    async def start_delivery(self) -> Member:
        """Return once it has its workers, whether or not the destinations take anything."""
        [port] = free_ports(1)
        delivery = self._spawn_ours("delivery", port, "deliver")
        self.deliveries.append(delivery)
        await self._until(delivery, lambda: _is_working(delivery))
        return delivery

    async def start_pull(self) -> Member:
        """Return once it is a member of the group, whoever has the pull."""
        [port] = free_ports(1)
        pull = self._spawn_ours("pull", port, "pull", AMPGATE_KAFKA__TOPIC_PREFIX=PULL_TOPIC_PREFIX)
        self.pulls.append(pull)
        await self._until(pull, lambda: _is_working(pull))
        return pull

    async def start_simulator(self, kind: str, *more: str) -> Member:
        [port] = free_ports(1)
        arguments = ["ampgate", "simulate", kind, "--port", str(port), *more]
        simulator = self._spawn(kind, port, *arguments)
        self.simulators[kind] = simulator
        await self._until(simulator, lambda: _answers(simulator))
        return simulator

    async def kill(self, member: Member) -> None:
        """End it as a power cut would: `kill -9`."""
        self._part_with(member)
        member.process.kill()
        await asyncio.to_thread(member.process.wait)

    async def stop(self, member: Member) -> None:
        """Ask it to end; it has to, in time and with status 0."""
        self._part_with(member)
        member.process.send_signal(signal.SIGTERM)
        try:
            status = await asyncio.to_thread(member.process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.troubles.append(f"{member.name} had not ended {STOP_SECONDS:g} s after SIGTERM")
            member.process.kill()
            await asyncio.to_thread(member.process.wait)
        else:
            if status != 0:
                self.troubles.append(f"{member.name} ended with status {status} after SIGTERM")

    async def stop_gateway(self) -> None:
        """All edges first, then all deliveries, and what else there is."""
        for members in (self.edges, self.deliveries, self.pulls):
            await asyncio.gather(*(self.stop(member) for member in list(members)))

    def end(self) -> None:
        """Whatever is left."""
        for member in (*self.edges, *self.deliveries, *self.pulls, *self.simulators.values()):
            member.process.kill()
            member.process.wait()

    def _part_with(self, member: Member) -> None:
        """It is about to end; that it has done so already is a trouble."""
        for members in (self.edges, self.deliveries, self.pulls):
            if member in members:
                members.remove(member)
        if (status := member.process.poll()) is not None:
            self.troubles.append(f"{member.name} ended by itself, with status {status}")

    def _spawn_ours(self, kind: str, port: int, command: str, **others: str) -> Member:
        """Of the gateway: with a wall clock that may be wrong."""
        clock = self.clock(kind)
        clock.add()
        arguments = [wall_clock.__name__, str(clock.file), command]
        return self._spawn(kind, port, *arguments, **others)

    def _spawn(self, kind: str, port: int, *arguments: str, **others: str) -> Member:
        """A module of Python with its arguments."""
        self._started += 1
        name = f"{kind}-{self._started}"
        log = self.directory / f"{name}.log"
        ours = {name: text for name, text in os.environ.items() if not name.startswith("AMPGATE_")}
        environment = ours | {
            "AMPGATE_CONFIG": str(self._file),
            "AMPGATE_DELIVERY__ADMIN_PORT": str(port),
            "AMPGATE_PULL__ADMIN_PORT": str(port),
            **others,
        }
        with log.open("wb") as output:
            command = [sys.executable, "-m", *arguments]
            process = parent_death.spawn(
                command, at_death=signal.SIGKILL, output=output, environment=environment
            )
        return Member(name, process, port, log)

    async def _until(self, member: Member, holds: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not await holds():
            member.require_alive()
            if time.monotonic() > deadline:
                raise CommandError(f"{member.name} was not ready in time: see {member.log}")
            await asyncio.sleep(POLL_SECONDS)
        self.ready.add(member.name)


def _says(log: Path, words: str) -> bool:
    return words in log.read_text()


async def _is_working(member: Member) -> bool:
    try:
        _, body = await ask(f"{member.url}/readyz")
    except PyreqwestError:
        return False
    return bool(orjson.loads(body)["status"] in ("ready", "paused"))


async def _answers(member: Member) -> bool:
    try:
        status, _ = await ask(f"{member.url}/_stats")
    except PyreqwestError:
        return False
    return status == 200
