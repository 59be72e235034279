"""Does what the plan says: each step breaks one thing, and returns when that works again."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import orjson

from ampgate.errors import CommandError
from ampgate.lab.chaos import full_disk
from ampgate.lab.chaos.asking import ask
from ampgate.lab.chaos.faults import Rule
from ampgate.lab.chaos.fleet import Fleet, Member
from ampgate.lab.chaos.growth import Growth, grow, grow_events
from ampgate.lab.chaos.network import Network
from ampgate.lab.chaos.plan import (
    DELIVERIES,
    DELIVERY,
    EDGE,
    EDGES,
    GZIP,
    PARKED_FIRST,
    PULL,
    PULLS,
    Act,
    Lane,
    Step,
    nodes,
)
from ampgate.lab.chaos.report import Done, Progress
from ampgate.lab.chaos.retention import overtake
from ampgate.lab.kafka.kafka import EmbeddedKafka
from schemas.configuration.config import Kafka
from schemas.records import Stored

TIMES = 2  # A multiple: then users stay where they are, or move to an added partition.


@dataclass(slots=True)
class Breaking:
    """`done` are the steps that were played; `deleted` are records that Kafka has no more."""

    fleet: Fleet
    kafka: Kafka
    broker: EmbeddedKafka
    network: Network
    progress: Progress
    partitions: int  # Of each topic.
    done: list[Done] = field(default_factory=list)
    deleted: list[Stored] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    _edges: asyncio.Lock = field(default_factory=asyncio.Lock)  # One lane at a time changes them.

    async def play_all(self, lanes: Sequence[Sequence[Step]], seconds: float) -> None:
        """The lanes side by side, for so long; then every simulator is healed."""
        began = time.monotonic()
        await asyncio.gather(
            asyncio.sleep(seconds), *(self._play(steps, began, seconds) for steps in lanes)
        )
        for simulator in self.fleet.simulators.values():
            await set_faults(simulator, [])

    async def _play(self, steps: Sequence[Step], began: float, seconds: float) -> None:
        for step in steps:
            await asyncio.sleep(step.rest)
            at = time.monotonic() - began
            if at + step.seconds > seconds:
                return  # To start and to end processes took longer than nothing.
            self.progress.say(f"{at:5.1f} s  {step.words}")
            await self._do(step)
            took = time.monotonic() - began - at
            self.done.append(Done(round(at, 1), step.words, round(took, 1)))

    async def _do(self, step: Step) -> None:
        fleet = self.fleet
        match step.lane:
            case Lane.KAFKA:
                await self._break_broker(step, self._node(step.name))
            case Lane.AMPLITUDE | Lane.AAMPE | Lane.AMPERITY:
                rules = [{**rule, "for_seconds": step.seconds} for rule in step.rules]
                await set_faults(fleet.simulators[step.lane.lower()], rules)
                await asyncio.sleep(step.seconds)
            case Lane.EDGES:
                async with self._edges:
                    await self._disturb(step, fleet.edges[0], fleet.start_edge)
            case Lane.DELIVERIES:
                await self._disturb(step, fleet.deliveries[0], fleet.start_delivery)
            case Lane.PULLS:
                await self._disturb(step, fleet.pulls[0], fleet.start_pull)
            case Lane.PAUSES:
                await self._pause(step)
            case Lane.NETWORK:
                assert step.impairment is not None, "a way is impaired somehow"
                way = self.network.ways[step.name]
                await way.impair(step.impairment, asyncio.sleep(step.seconds))
            case Lane.CONFIGURATION:
                fleet.reload(gzip=step.name == GZIP)
            case Lane.CLOCKS:
                await self._set_clock(step)
            case Lane.RETENTION:
                await self._overtake(step)
            case Lane.PARTITIONS:
                await self._grow(step)

    async def _break_broker(self, step: Step, node: int) -> None:
        if step.act is Act.FILL:  # It ends by itself, as soon as it has something to write.
            full_disk.fill(self.broker.running[node].pid)
            await asyncio.sleep(step.seconds)
            await asyncio.to_thread(self.broker.kill, node)
        else:
            await asyncio.to_thread(self.broker.kill, node)
            await asyncio.sleep(step.seconds)
        await asyncio.to_thread(self.broker.restart, node)

    async def _disturb(
        self, step: Step, oldest: Member, start: Callable[[], Awaitable[Member]]
    ) -> None:
        match step.act:
            case Act.KILL:
                await self.fleet.kill(oldest)
                await asyncio.sleep(step.seconds)
                await start()
            case Act.REPLACE:
                await start()
                await self.fleet.stop(oldest)
            case Act.JOIN:
                joined = await start()
                await asyncio.sleep(step.seconds)
                await self.fleet.stop(joined)
            case _:
                raise AssertionError(f"{step.lane} has no such step")

    async def _pause(self, step: Step) -> None:
        """As a machine that is short of everything does it: its connections stay open."""
        process = self._paused(step.name)
        if process is None:
            return  # Another lane has just killed it.
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(step.seconds)
        process.send_signal(signal.SIGCONT)

    async def _set_clock(self, step: Step) -> None:
        clocks = {EDGES: "edge", DELIVERIES: "delivery", PULLS: "pull"}
        clock = self.fleet.clock(clocks[step.name])
        clock.set(step.ahead)
        await asyncio.sleep(step.seconds)
        clock.set(0.0)

    async def _overtake(self, step: Step) -> None:
        """The deliveries read nothing meanwhile, so that there is something to delete."""
        processes = [one.process for one in self.fleet.deliveries]
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(step.seconds)
        _, deleted = await overtake(self.kafka, step.share)
        self.deleted += deleted
        for process in processes:
            process.send_signal(signal.SIGCONT)

    async def _grow(self, step: Step) -> None:
        topics = self.kafka.topics
        others = [topics.user_properties, topics.group_properties]
        self.partitions *= TIMES
        if step.name == PARKED_FIRST:
            await grow(self.kafka, [topics.parked, *others], self.partitions)
            await asyncio.sleep(step.seconds)
            await self._grow_events()
        else:
            await self._grow_events()
            await asyncio.sleep(step.seconds)
            await grow(self.kafka, [*others, topics.parked], self.partitions)

    async def _grow_events(self) -> None:
        """An edge that knows the old number would write a user's events where they were before."""
        async with self._edges:
            edges = list(self.fleet.edges)
            for edge in edges:
                await self.fleet.kill(edge)
            self.growths.append(await grow_events(self.kafka, self.partitions))
            await asyncio.gather(*(self.fleet.start_edge() for _ in edges))

    def _paused(self, name: str) -> subprocess.Popen[bytes] | None:
        members = {EDGE: self.fleet.edges, DELIVERY: self.fleet.deliveries, PULL: self.fleet.pulls}
        if name in members:
            found = members[name]
            return found[-1].process if found else None
        return self.broker.running.get(self._node(name))

    def _node(self, name: str) -> int:
        return self.broker.nodes[nodes(len(self.broker.nodes)).index(name)]


async def set_faults(simulator: Member, rules: Sequence[Rule]) -> None:
    status, answer = await ask(f"{simulator.url}/_faults", orjson.dumps({"rules": rules}))
    if status != 200:
        raise CommandError(f"{simulator.name} refuses its faults: {answer.decode()}")
