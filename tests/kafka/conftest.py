"""What tests of the delivery and of the operator's commands start from."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Kafka
from tests.conftest import Broker
from tests.kafka.delivery_world import World, opened_world
from tests.kafka.fault_proxy import HOST, Behind
from tests.operating import Operation, operation, simulating


@pytest.fixture
async def here(kafka: Broker, topic_prefix: str) -> Operation:
    """Both destinations are out of reach."""
    return await operation(kafka, topic_prefix)


@pytest.fixture
async def simulated(kafka: Broker, topic_prefix: str) -> AsyncIterator[Operation]:
    """Both destinations are strict simulators."""
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        yield await operation(kafka, topic_prefix, amplitude, aampe)


@pytest.fixture
async def world(kafka: Broker, topic_prefix: str) -> AsyncIterator[World]:
    """As `simulated`, with the delivery in the test's own process."""
    async with opened_world(kafka, topic_prefix) as opened:
        yield opened


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    [port] = free_ports(1)
    told = {"advertised.listeners": f"CLIENTS://{HOST}:{port}"}
    directory = tmp_path_factory.mktemp("kafka")
    with EmbeddedKafka(directory, heap_megabytes=256, settings=told) as kafka:
        yield Behind(port, int(kafka.bootstrap_servers.rpartition(":")[2]))


@pytest.fixture
def guarded_kafka(tmp_path: Path) -> Iterator[Broker]:
    """A Kafka that knows permissions; what none names is free for all."""
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with EmbeddedKafka(tmp_path / "kafka", settings=settings) as embedded:
        yield Broker(embedded.bootstrap_servers)


@pytest.fixture
def configured(kafka: Broker, topic_prefix: str) -> Kafka:
    return Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
