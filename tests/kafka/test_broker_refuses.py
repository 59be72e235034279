"""A broker refuses single requests, or answers nonsense: nothing ends, and all goes on then."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from consumers.deliveries import Deliveries
from consumers.kafka.letters import Letters
from tests.conftest import Broker
from tests.eventually import eventually
from tests.kafka.delivery_world import World, event, opened_world
from tests.kafka.fault_proxy import FETCH, HEARTBEAT, HOST, FaultProxy, Faults, fault_proxy
from tests.kafka.kafka_operations import with_amplitude
from tests.kafka.test_isolation import delivering, restarts
from tests.operating import AMPLITUDE

UNSUPPORTED_VERSION, GROUP_DENIED, NEW_ERROR = 35, 30, 999


@dataclass(frozen=True, slots=True)
class Behind:
    """A broker that tells its clients to come through a proxy."""

    port: int
    broker_port: int


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    [port] = free_ports(1)
    told = {"advertised.listeners": f"CLIENTS://{HOST}:{port}"}
    directory = tmp_path_factory.mktemp("kafka")
    with EmbeddedKafka(directory, heap_megabytes=256, settings=told) as kafka:
        yield Behind(port, int(kafka.bootstrap_servers.rpartition(":")[2]))


@dataclass
class Delivering:
    world: World
    proxy: FaultProxy
    deliveries: Deliveries
    sent: int = 0

    async def deliver(self, count: int = 20) -> None:
        """So many more events arrive, each once."""
        await self.produce(count)
        await self.world.until_accepted("amplitude", self.sent)
        found = [one["event_properties"]["n"] for one in await self.world.received("amplitude")]
        assert sorted(found) == list(range(self.sent))

    async def produce(self, count: int) -> None:
        events = [event(n % 7, n) for n in range(self.sent, self.sent + count)]
        await self.world.produce(self.world.config.kafka.topics.events, events)
        self.sent += count

    @property
    def is_reached(self) -> bool:
        return all(worker.is_reached for worker in self.deliveries.workers)


@pytest.fixture
async def running(behind: Behind, topic_prefix: str) -> AsyncIterator[Delivering]:
    """Some events have arrived; nothing has failed, nor does in the end."""
    async with (
        fault_proxy(behind.port, behind.broker_port) as proxy,
        opened_world(Broker(f"{HOST}:{behind.port}"), topic_prefix) as opened,
    ):
        world = with_amplitude(opened)
        before = restarts(AMPLITUDE)
        async with delivering(world.config, Letters(world.config.kafka)) as deliveries:
            found = Delivering(world, proxy, deliveries)
            await found.deliver()
            yield found
            assert not any(worker.is_stuck for worker in deliveries.workers)
        assert restarts(AMPLITUDE) == before


@asynccontextmanager
async def refusing(running: Delivering, faults: Faults) -> AsyncIterator[Faults]:
    running.proxy.faults = faults
    yield faults
    running.proxy.faults = Faults()


@pytest.mark.parametrize("code", [UNSUPPORTED_VERSION, NEW_ERROR])
async def test_a_refused_fetch_is_said_once_and_not_repeated_without_pause(
    running: Delivering, code: int
) -> None:
    with capture_logs() as said:
        async with refusing(running, Faults(codes={FETCH: code})) as faults:
            began = time.monotonic()
            await running.produce(20)
            await eventually(lambda: not running.is_reached)
            await eventually(lambda: faults.struck[FETCH] >= 10)
            fetches, seconds = faults.struck[FETCH], time.monotonic() - began
        await eventually(lambda: running.is_reached)
    await running.deliver()

    assert fetches < 20 * (seconds + 1)
    events = running.world.config.kafka.topics.events
    lines = [(one["event"], one["partition"]) for one in said if one.get("topic") == events]
    assert lines
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("code", [UNSUPPORTED_VERSION, GROUP_DENIED])
async def test_a_member_whose_heartbeats_were_refused_joins_again(
    running: Delivering, code: int
) -> None:
    async with refusing(running, Faults(codes={HEARTBEAT: code})) as faults:
        await eventually(lambda: faults.struck[HEARTBEAT] > 0)
        await eventually(lambda: not running.is_reached)
    await eventually(lambda: running.is_reached)
    await running.deliver()
