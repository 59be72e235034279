"""The compiled reference does the work that the benchmark compares ours with."""

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from ampgate import topics
from ampgate.lab.kafka.ports import free_ports
from benchmarks import golang
from benchmarks.events import KEY, event
from benchmarks.processes import running
from schemas.configuration.config import Kafka
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS

KEYED = [event(number) for number in range(250)]
EVENTS = [(key, b'{"ip":"::1",%b' % value[1:]) for key, value in KEYED]  # They lack nothing.
PATH = "/2/httpapi"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = golang.build(tmp_path_factory.mktemp("reference"))
    if isinstance(built, golang.NoReference):
        pytest.skip(f"the compiled reference: {built.reason}")
    return built.program


async def stored(kafka: Kafka) -> list[tuple[bytes | None, bytes | None]]:
    consumer = AIOKafkaConsumer(
        kafka.topics.events,
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
    )
    found: list[tuple[bytes | None, bytes | None]] = []
    async with consumer, asyncio.timeout(DEADLINE_SECONDS):
        while len(found) < len(EVENTS):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [(record.key, record.value) for record in records]
    return found


def status(url: str, body: bytes) -> int:
    try:
        request = urllib.request.Request(url, body)
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
            code: int = answer.status
            return code
    except urllib.error.HTTPError as error:
        return error.code


def test_its_edge_stores_each_event_as_it_came_under_its_key(
    kafka: Broker, topic_prefix: str, reference: Path
) -> None:
    settings = Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
    asyncio.run(topics.create(settings, partitions=3))
    [port] = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    arguments = (kafka.bootstrap_servers, topic_prefix, str(port), KEY)
    body = b'{"api_key":"%b", "events": [%b]}' % (
        KEY.encode(),
        b" ,\n".join(value for _, value in EVENTS),
    )
    with running([str(reference), "edge", *arguments], ready=f"{address}/readyz"):
        assert status(address + PATH, body) == 200

    assert sorted(asyncio.run(stored(settings))) == sorted(EVENTS)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"api_key":"bench","events":[]}', 200),
        (b'{"api_key":"other","events":[]}', 401),
        (b'{"events":[]}', 401),
        (b'{"api_key":"bench","events":[{"user_id":"u"}]}', 400),
        (b'{"api_key":"bench","events":[{"event_type":"a"}]}', 400),
        (b'{"api_key":"bench","events":[{"event_type":1,"user_id":"u"}]}', 400),
        (b'{"api_key":"bench","events":[{"event_type":"a","user_id":"u"}', 400),
        (b'{"api_key":"bench","events":["event_type"]}', 400),
        (b'{"api_key":"bench\\",', 400),
        (b"", 400),
    ],
)
def test_its_edge_refuses_what_is_no_batch_of_events(
    kafka: Broker, topic_prefix: str, reference: Path, body: bytes, code: int
) -> None:
    [port] = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    arguments = (kafka.bootstrap_servers, topic_prefix, str(port), KEY)
    with running([str(reference), "edge", *arguments], ready=f"{address}/readyz"):
        assert status(address + PATH, body) == code
