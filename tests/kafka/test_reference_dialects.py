"""The compiled reference stores what our edge stores of the same request, in every dialect."""

import asyncio
import gzip
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPResponse
from itertools import islice
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from ampgate import topics
from ampgate.lab.kafka.ports import free_ports
from benchmarks import golang
from benchmarks.events import KEY
from benchmarks.processes import running
from benchmarks.requests import BASIC, BEARER, FORM, REQUESTS, post
from schemas.configuration.config import Kafka
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.unit.gateway.memory import Edge

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
EVENT = {
    "event_type": 'Grüße "🚀"',
    "device_id": "device-1",
    "event_properties": {"a": [1.50, "}"]},
}
FORMER = EVENT | {
    "timestamp": 1_767_225_600_000,
    "uuid": "uuid-1",
    "version_name": "3.1",
    "sequence_number": 9,
    "library": {"name": "amplitude-android", "version": "2.40.2"},
    "api_properties": {
        "androidADID": "adid-1",
        "location": {"lat": 52.5, "lng": 13.4},
        "tracking_options": {"ip_address": False},
    },
}
TRACK = {
    "type": "track",
    "event": "Signed Up",
    "userId": "user-1",
    "anonymousId": "anonymous-1",
    "messageId": "message-1",
    "timestamp": "2026-01-01T00:00:00.250Z",
    "properties": {"plan": "pro"},
}
CONTEXT = {
    "app": {"version": "1.2", "build": "7"},
    "device": {"id": "device-1", "type": "ios", "model": "iPhone", "advertisingId": "adid-1"},
    "library": {"name": "analytics-ios"},
    "locale": "de-DE",
    "location": {"city": "Berlin", "latitude": 52.5, "longitude": 13.4},
    "os": {"name": "iOS", "version": 17},
    "ip": "203.0.113.7",
    "timezone": "Europe/Berlin",
    "userAgent": "",
}
CAMPAIGN = {
    "campaign": {"source": "mail", "name": "spring"},
    "page": {"referrer": "https://a.example"},
}
AAMPE = {"contact_id": "user-1", "event_name": "Bought", "timestamp": 1_767_225_600.25}


def text(value: object) -> bytes:
    return json.dumps(value).encode()


def upload(*events: object) -> bytes:
    return post(b"/2/httpapi", text({"events": events, "api_key": KEY}))


def form(path: bytes, key: bytes, name: bytes, value: object) -> bytes:
    body = b"%b=%b&v=2&%b=%b" % (key, KEY.encode(), name, quote(text(value)).encode())
    return post(path, body, kind=FORM)


def calls(*given: object) -> bytes:
    return post(b"/segment/v1/batch", text({"batch": given}), headers=BASIC)


USUAL = {
    f"{kind}, {n}": make(range(n))
    for kind, make in REQUESTS.items()
    for n in (1, 3)
    if (kind, n) != ("Aampe", 3)
}
SPECIAL = {
    "nothing but a type and an id": upload(EVENT),
    "null and empty members": upload(EVENT | {"insert_id": "", "time": None, "ip": None}),
    "$remote as a property": upload(EVENT | {"user_properties": {"ip": "$remote"}}),
    "gzip": post(
        b"/2/httpapi",
        gzip.compress(text({"api_key": KEY, "events": [EVENT] * 5})),
        headers=b"content-encoding: gzip\r\n",
    ),
    "native": post(b"/v1/events", text(EVENT), headers=BEARER),
    "former form": form(b"/", b"client", b"e", [FORMER, EVENT | {"library": None}]),
    "identify": form(
        b"/identify",
        b"api_key",
        b"identification",
        {"device_id": "device-1", "user_properties": {"$set": {"a b": "+&=%"}}, "ip": "$remote"},
    ),
    "Segment, context": calls(TRACK | {"context": CONTEXT, "traits": {"a": 1}}),
    "Segment, campaign": calls(TRACK | {"context": CONTEXT | CAMPAIGN | {"traits": {"a": 1}}}),
    "Segment, campaign alone": calls(TRACK | {"context": CAMPAIGN, "properties": {}}),
    "Segment, numeric ids": calls(TRACK | {"userId": 12345678, "channel": "web"}),
    "Segment, anonymous": calls(TRACK | {"userId": None, "timestamp": None, "messageId": None}),
    "Segment, identify": calls(
        {"type": "identify", "userId": "user-1", "traits": {"a": "b"}},
        {"type": "identify", "userId": "user-1", "traits": {}, "context": CAMPAIGN},
    ),
    "Aampe": post(
        b"/aampe/v1/events",
        text(AAMPE | {"event_id": "event-1", "timezone": "UTC", "metadata": {"a": 1}}),
        headers=BEARER,
    ),
    "Aampe, no more than it needs": post(
        b"/aampe/v1/events", text(AAMPE | {"metadata": None, "event_id": ""}), headers=BEARER
    ),
}
SENT = USUAL | SPECIAL
STARTED_MS = time.time() * 1000


@dataclass(frozen=True, slots=True)
class Stored:
    key: bytes | None
    value: dict[str, Any]

    @classmethod
    def of(cls, key: bytes | None, text: bytes | None) -> "Stored":
        """What is filled in is another one each time."""
        value = json.loads(text or b"null")
        if UUID.fullmatch(value["insert_id"]):
            value["insert_id"] = "a random one"
        if value["time"] > STARTED_MS:
            value["time"] = "now"
        return cls(key, value)


Topics = dict[str, list[Stored]]


async def ours(request: bytes) -> Topics:
    edge = Edge({"name": "bench", "write_key": KEY})
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    async with edge.client as client:
        answer = await client.post(first.split(" ")[1], content=body, headers=headers)
    assert answer.is_success, answer.text
    topics = edge.store.topics.items()
    return {name: [Stored.of(one.key, one.value) for one in records] for name, records in topics}


def send(port: int, request: bytes) -> int:
    address = ("127.0.0.1", port)
    with closing(socket.create_connection(address, DEADLINE_SECONDS)) as connection:
        connection.sendall(request)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status


async def read(kafka: Kafka, counts: Mapping[str, int]) -> Topics:
    """So many records of each topic, in their order."""
    found: Topics = {}
    for name, count in counts.items():
        consumer = AIOKafkaConsumer(
            kafka.topic_prefix + name,
            bootstrap_servers=kafka.bootstrap_servers,
            auto_offset_reset="earliest",
        )
        records = found[name] = []
        async with consumer, asyncio.timeout(DEADLINE_SECONDS):
            while len(records) < count:
                one = await consumer.getone()
                records.append(Stored.of(one.key, one.value))
    return found


@pytest.fixture(scope="module")
def expected() -> dict[str, Topics]:
    async def each() -> dict[str, Topics]:
        return {name: await ours(request) for name, request in SENT.items()}

    return asyncio.run(each())


@pytest.fixture(scope="module")
def compiled(
    kafka: Broker, tmp_path_factory: pytest.TempPathFactory, expected: dict[str, Topics]
) -> dict[str, Topics]:
    """What the reference stores of each request: sent one after the other, to one partition."""
    built = golang.build(tmp_path_factory.mktemp("reference"))
    if isinstance(built, golang.NoReference):
        pytest.skip(f"the compiled reference: {built.reason}")
    prefix = f"t-{uuid4().hex[:12]}."
    settings = Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix)
    asyncio.run(topics.create(settings, partitions=1))
    [port] = free_ports(1)
    command = [str(built.program), "edge", kafka.bootstrap_servers, prefix, str(port), KEY]
    with running(command, ready=f"http://127.0.0.1:{port}/readyz"):
        statuses = {name: send(port, request) for name, request in SENT.items()}
    assert set(statuses.values()) <= {200, 202}, statuses
    counts = Counter[str]()
    for stored in expected.values():
        counts.update({topic: len(records) for topic, records in stored.items()})
    found = asyncio.run(read(settings, counts))
    rest = {topic: iter(records) for topic, records in found.items()}
    return {
        name: {topic: list(islice(rest[topic], len(records))) for topic, records in stored.items()}
        for name, stored in expected.items()
    }


@pytest.mark.parametrize("name", SENT)
def test_it_stores_what_our_edge_stores(
    expected: dict[str, Topics], compiled: dict[str, Topics], name: str
) -> None:
    assert compiled[name] == expected[name]
