"""The run: everything is started, broken by plan, healed, drained, and counted.

Theory of operation: the simulators live through it all, so what they received is what arrived. In
the end, when all that was acknowledged has arrived, the gateway's processes are ended and new ones
take one more stretch in calm: their counters died with nobody, so they have to add up exactly.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from ampgate import topics
from ampgate.archive.archive import archive
from ampgate.errors import CommandError
from ampgate.lab.chaos import full_disk
from ampgate.lab.chaos.breaking import Breaking
from ampgate.lab.chaos.clients import Client, connected_clients, users
from ampgate.lab.chaos.configuration import PULL_TOPIC_PREFIX
from ampgate.lab.chaos.fleet import KEY, Fleet, Member
from ampgate.lab.chaos.hostile import disturb
from ampgate.lab.chaos.network import Network, opened_network
from ampgate.lab.chaos.odd_records import OddProducer
from ampgate.lab.chaos.plan import EDGES, Act, Lane, Step, nodes, plan, without
from ampgate.lab.chaos.pulled import PROFILES, Pulled
from ampgate.lab.chaos.report import Progress, Report
from ampgate.lab.chaos.retention import overtake
from ampgate.lab.chaos.verdict import Counted, judge
from ampgate.lab.chaos.witness import Witness
from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from ampgate.lab.kafka.settings import HOST
from schemas.configuration.config import Kafka

FLEET_EDGES = 2
HOSTILE = 2  # Clients that no edge wants.
PARTITIONS = 6
TOPIC_PREFIX = "chaos."
DRAIN_SECONDS = 600.0  # A throttled user waits 30 s, and perhaps once more; a slow machine longer.
DRAIN_LOOK_SECONDS = 0.5
CALM_EVENTS = 20  # By each client, twice.
CALM_SHARE = 0.3  # Of the first ones is deleted before a delivery reads them.


@dataclass(slots=True)
class Run:
    breaking: Breaking
    kafka: Kafka
    clients: Sequence[Client]
    odd: OddProducer
    edges_port: int  # That of the way to them.
    seed: int

    @property
    def fleet(self) -> Fleet:
        return self.breaking.fleet

    @property
    def progress(self) -> Progress:
        return self.breaking.progress

    async def break_all(self, lanes: Sequence[Sequence[Step]], seconds: float) -> None:
        """All lanes, all clients and odd records side by side; return when all is acknowledged."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for client in self.clients:
                tasks.create_task(client.send_until(over))
            tasks.create_task(self.odd.produce_until(over))
            for number in range(HOSTILE):
                random = Random(f"{self.seed} hostile {number}")
                tasks.create_task(disturb(HOST, self.edges_port, random, over))
            await self.breaking.play_all(lanes, seconds)
            over.set()
            self.progress.enter("healed: what is left is sent")

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
            # Deleted events may be missing; which ones, is looked at when there are no more.
            missing = len(self.acknowledged) - len(witness.deleted) - await witness.arrived()
            waiting = sum((await witness.unsettled()).values())
            is_read = missing <= 0 and waiting <= 0 and await pulled.is_read()
            if is_read and await witness.has_arrived(self.acknowledged):
                return True
            self.progress.enter(f"draining: {max(missing, waiting)} to go")
            await asyncio.sleep(DRAIN_LOOK_SECONDS)
        return False

    async def count_in_calm(self, witness: Witness, pulled: Pulled) -> Counted | None:
        """New processes take some more events: what their counters say of them, and of those that
        Kafka deleted before there was a delivery.
        """
        await self.fleet.stop_gateway()
        before = await witness.records()
        edge = await self.fleet.start_edge()
        await asyncio.gather(*(client.send(CALM_EVENTS) for client in self.clients))
        unread, deleted = await overtake(self.kafka, CALM_SHARE)
        self.breaking.deleted += deleted
        delivery = await self.fleet.start_delivery()
        await asyncio.gather(*(client.send(CALM_EVENTS) for client in self.clients))
        if not await self.settle(witness, pulled):
            return None
        return await witness.counted(edge, delivery, await witness.records() - before, unread)


async def run(seconds: float, seed: int, brokers: int, progress: Progress) -> Report:
    """`CommandError` when it could not be carried through."""
    directory = Path(tempfile.mkdtemp(prefix="ampgate-chaos-"))
    try:
        return await _run(directory, seconds, seed, brokers, progress)
    except asyncio.CancelledError:
        shutil.rmtree(directory, ignore_errors=True)  # Nobody wants these logs.
        raise


async def _run(
    directory: Path, seconds: float, seed: int, brokers: int, progress: Progress
) -> Report:
    try:
        async with opened_run(directory, seed, brokers, progress) as opened:
            progress.enter("chaos")
            lanes = plan(seed, seconds, users(), brokers)
            if not full_disk.IS_POSSIBLE:
                progress.say(full_disk.LEFT_OUT)
                lanes = without(Act.FILL, lanes)
            await opened.break_all(list(lanes.values()), seconds)
            async with archive(opened.kafka) as stored:
                breaking = opened.breaking
                witness = Witness(
                    opened.kafka, stored, opened.fleet, breaking.deleted, breaking.growths
                )
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
        done=opened.breaking.done,
        findings=findings,
        events=len(acknowledged),
        retries=sum(client.retries for client in opened.clients),
        longest_wait=max(client.longest_wait for client in opened.clients),
        logs=None if is_good else directory,
    )


@asynccontextmanager
async def opened_run(
    directory: Path, seed: int, brokers: int, progress: Progress
) -> AsyncIterator[Run]:
    """Everything is up; nothing of it outlives the block."""
    names = nodes(brokers)
    edge_port, edges_port, *ports = free_ports(2 + brokers)
    told = dict(enumerate(ports, start=1))
    broker = EmbeddedKafka(
        directory / "kafka", brokers=brokers, advertised=told, progress=progress.enter
    )
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(opened_network(Random(f"{seed} network")))
        for name, (node, port) in zip(names, told.items(), strict=True):
            await network.open_way(name, port, partial(broker.port, node))
        await asyncio.to_thread(broker.start)
        stack.push_async_callback(asyncio.to_thread, broker.stop)
        await network.open_way(EDGES, edges_port, lambda: edge_port)
        fleet = Fleet(directory, edge_port, has_spool=seed % 2 == 0)
        if fleet.has_spool:
            progress.say("the edges have a spool, so they accept events while Kafka is away")
        stack.callback(fleet.end)
        progress.enter("starting the simulators, the edges, a delivery and a pull")
        await asyncio.gather(
            *map(fleet.start_simulator, ("amplitude", "aampe")),
            fleet.start_simulator("amperity", "--size", str(PROFILES)),
        )
        ways = {
            lane.lower(): await _way_to(network, lane, fleet.simulators[lane.lower()])
            for lane in (Lane.AMPLITUDE, Lane.AAMPE, Lane.AMPERITY)
        }
        config = fleet.configure(broker.bootstrap_servers, TOPIC_PREFIX, ways)
        beside = config.kafka.model_copy(update={"topic_prefix": PULL_TOPIC_PREFIX})
        for kafka in (config.kafka, beside):
            await topics.create(kafka, partitions=PARTITIONS)
        starting = [fleet.start_edge() for _ in range(FLEET_EDGES)]
        await asyncio.gather(*starting, fleet.start_delivery(), fleet.start_pull())
        clients = await stack.enter_async_context(
            connected_clients(f"http://{HOST}:{edges_port}", KEY, seed, progress.acknowledge)
        )
        odd = OddProducer(config.kafka, Random(f"{seed} odd records"))
        breaking = Breaking(fleet, config.kafka, broker, network, progress, PARTITIONS)
        yield Run(breaking, config.kafka, clients, odd, edges_port, seed)


async def _way_to(network: Network, name: str, simulator: Member) -> str:
    """Its URL."""
    [port] = free_ports(1)
    await network.open_way(name, port, lambda: simulator.port)
    return f"http://{HOST}:{port}"


def first_of(errors: BaseException) -> BaseException:
    """One is enough to say what is wrong."""
    return first_of(errors.exceptions[0]) if isinstance(errors, BaseExceptionGroup) else errors
