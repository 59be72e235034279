"""The run: everything is started, broken by plan, healed, drained, and counted.

Theory of operation: the simulators live through it all, so what they received is what arrived. In
the end, when all that was acknowledged has arrived, the gateway's processes are ended and new ones
take one more stretch in calm: their counters died with nobody, so they have to add up exactly.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import orjson

from ampgate import topics
from ampgate.archive.archive import archive
from ampgate.errors import CommandError
from ampgate.lab.chaos.clients import Client, connected_clients, users
from ampgate.lab.chaos.configuration import PULL_TOPIC_PREFIX
from ampgate.lab.chaos.fleet import KEY, Fleet, Member, ask
from ampgate.lab.chaos.odd_records import OddProducer
from ampgate.lab.chaos.plan import Act, Lane, Rule, Step, plan
from ampgate.lab.chaos.pulled import PROFILES, Pulled
from ampgate.lab.chaos.report import Done, Progress, Report
from ampgate.lab.chaos.verdict import Counted, judge
from ampgate.lab.chaos.witness import Witness
from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Kafka

EDGES = 2
PARTITIONS = 6
TOPIC_PREFIX = "chaos."
DRAIN_SECONDS = 600.0  # A throttled user waits 30 s, and perhaps once more; a slow machine longer.
DRAIN_LOOK_SECONDS = 0.5
CALM_EVENTS = 40  # By each client.


@dataclass(slots=True)
class Run:
    fleet: Fleet
    broker: EmbeddedKafka
    kafka: Kafka
    clients: Sequence[Client]
    odd: OddProducer
    progress: Progress
    done: list[Done] = field(default_factory=list)
    began: float = 0.0

    async def break_all(self, steps: Mapping[Lane, Sequence[Step]], seconds: float) -> None:
        """All lanes, all clients and odd records side by side; return when all is acknowledged."""
        over = asyncio.Event()
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for client in self.clients:
                tasks.create_task(client.send_until(over))
            tasks.create_task(self.odd.produce_until(over))
            await asyncio.gather(
                asyncio.sleep(seconds), *(self._play(lane, seconds) for lane in steps.values())
            )
            for simulator in self.fleet.simulators.values():
                await set_faults(simulator, [])
            over.set()
            self.progress.enter("healed: what is left is sent")

    async def _play(self, steps: Sequence[Step], seconds: float) -> None:
        for step in steps:
            await asyncio.sleep(step.rest)
            at = time.monotonic() - self.began
            if at + step.seconds > seconds:
                return  # To start and to end processes took longer than nothing.
            self.progress.say(f"{at:5.1f} s  {step.words}")
            await self._do(step)
            took = time.monotonic() - self.began - at
            self.done.append(Done(round(at, 1), step.words, round(took, 1)))

    async def _do(self, step: Step) -> None:
        fleet = self.fleet
        match step.lane:
            case Lane.KAFKA:
                await asyncio.to_thread(self.broker.kill, 1)
                await asyncio.sleep(step.seconds)
                await asyncio.to_thread(self.broker.restart, 1)
            case Lane.AMPLITUDE | Lane.AAMPE | Lane.AMPERITY:
                rules = [{**rule, "for_seconds": step.seconds} for rule in step.rules]
                await set_faults(fleet.simulators[step.lane.lower()], rules)
                await asyncio.sleep(step.seconds)
            case Lane.EDGES:
                await self._disturb(step, fleet.edges[0], fleet.start_edge)
            case Lane.DELIVERIES:
                await self._disturb(step, fleet.deliveries[0], fleet.start_delivery)
            case Lane.PULLS:
                await self._disturb(step, fleet.pulls[0], fleet.start_pull)

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
            case Act.FAULT:
                raise AssertionError("only simulators have faults")

    @property
    def acknowledged(self) -> list[str]:
        """The insert_ids of all good events that Kafka has."""
        sent = [one for client in self.clients for one in client.acknowledged]
        return sent + self.odd.acknowledged

    async def settle(self, witness: Witness, pulled: Pulled) -> bool:
        """Wait until all that is acknowledged has arrived and is committed, and all that is pulled
        was read; whether it came so.
        """
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:
            missing = len(self.acknowledged) - await witness.arrived()
            waiting = sum((await witness.unsettled()).values())
            if missing <= 0 and waiting <= 0 and await pulled.is_read():
                return True
            self.progress.enter(f"draining: {max(missing, waiting)} to go")
            await asyncio.sleep(DRAIN_LOOK_SECONDS)
        return False

    async def count_in_calm(self, witness: Witness, pulled: Pulled) -> Counted | None:
        """New processes take some more events: what their counters say of them."""
        await self.fleet.stop_gateway()
        before = await witness.records()
        edge, delivery = await self.fleet.start_edge(), await self.fleet.start_delivery()
        await asyncio.gather(*(client.send(CALM_EVENTS) for client in self.clients))
        if not await self.settle(witness, pulled):
            return None
        return await witness.counted(edge, delivery, await witness.records() - before)


async def run(seconds: float, seed: int, progress: Progress) -> Report:
    """`CommandError` when it could not be carried through."""
    directory = Path(tempfile.mkdtemp(prefix="ampgate-chaos-"))
    try:
        return await _run(directory, seconds, seed, progress)
    except asyncio.CancelledError:
        shutil.rmtree(directory, ignore_errors=True)  # Nobody wants these logs.
        raise


async def _run(directory: Path, seconds: float, seed: int, progress: Progress) -> Report:
    try:
        async with opened_run(directory, seed, progress) as opened:
            progress.enter("chaos")
            await opened.break_all(plan(seed, seconds, users()), seconds)
            async with archive(opened.kafka) as stored:
                witness = Witness(opened.kafka, stored, opened.fleet)
                pulled = Pulled(stored, opened.fleet)
                has_settled = await opened.settle(witness, pulled)
                counted = await opened.count_in_calm(witness, pulled) if has_settled else None
                acknowledged = opened.acknowledged
                refused = [one for client in opened.clients for one in client.refused]
                evidence = await witness.evidence(acknowledged, refused, counted)
                findings = [*judge(evidence), *await pulled.findings()]
    except* CommandError as errors:
        raise CommandError(f"{first_of(errors)} (logs: {directory})") from None
    is_good = all(finding.ok for finding in findings)
    if is_good:
        shutil.rmtree(directory, ignore_errors=True)
    return Report(
        done=opened.done,
        findings=findings,
        events=len(acknowledged),
        retries=sum(client.retries for client in opened.clients),
        longest_wait=max(client.longest_wait for client in opened.clients),
        logs=None if is_good else directory,
    )


@asynccontextmanager
async def opened_run(directory: Path, seed: int, progress: Progress) -> AsyncIterator[Run]:
    """Everything is up; nothing of it outlives the block."""
    broker = EmbeddedKafka(directory / "kafka", progress=progress.enter)
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(broker.start)
        stack.push_async_callback(asyncio.to_thread, broker.stop)
        [edge_port] = free_ports(1)
        fleet = Fleet(directory, edge_port)
        stack.callback(fleet.end)
        progress.enter("starting the simulators, the edges, a delivery and a pull")
        await asyncio.gather(
            *map(fleet.start_simulator, ("amplitude", "aampe")),
            fleet.start_simulator("amperity", "--size", str(PROFILES)),
        )
        config = fleet.configure(broker.bootstrap_servers, TOPIC_PREFIX)
        beside = config.kafka.model_copy(update={"topic_prefix": PULL_TOPIC_PREFIX})
        for kafka in (config.kafka, beside):
            await topics.create(kafka, partitions=PARTITIONS)
        starting = [fleet.start_edge() for _ in range(EDGES)]
        await asyncio.gather(*starting, fleet.start_delivery(), fleet.start_pull())
        clients = await stack.enter_async_context(
            connected_clients(fleet.edge_url, KEY, seed, progress.acknowledge)
        )
        odd = OddProducer(config.kafka, Random(f"{seed} odd records"))
        yield Run(fleet, broker, config.kafka, clients, odd, progress)


async def set_faults(simulator: Member, rules: Sequence[Rule]) -> None:
    status, answer = await ask(f"{simulator.url}/_faults", orjson.dumps({"rules": rules}))
    if status != 200:
        raise CommandError(f"{simulator.name} refuses its faults: {answer.decode()}")


def first_of(errors: BaseException) -> BaseException:
    """One is enough to say what is wrong."""
    return first_of(errors.exceptions[0]) if isinstance(errors, BaseExceptionGroup) else errors
