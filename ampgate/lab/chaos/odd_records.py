"""Records that nobody can use, and good ones that look odd: produced beside the clients' events.

Each unusable one has to become a dead letter at every destination, with its own origin; each good
one has to arrive like any other.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ampgate.cli.configuration import client_arguments
from ampgate.lab.chaos.clients import event
from schemas.configuration.config import Kafka
from schemas.kafka.partitioner import positive_hash

MARK = "odd"  # A header, by which an unusable record is known again.
GOOD = ""
USERS = 6
REST_SECONDS = (0.05, 0.4)
RETRY_SECONDS = 0.5
METADATA_MS = 1_000  # It notices added partitions, and never looks back.
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class OddRecord:
    name: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def unusable_records() -> Sequence[OddRecord]:
    """One of each kind."""
    odd = b'"event_type":"Odd","user_id":"odd"'
    values: Mapping[str, bytes | None] = {
        "no JSON": b'{"event_type": "Odd", ',
        "no text": b"\xff\xfe\x00",
        "empty": b"",
        "an array": b"[1,2]",
        "a number": b"1e3",
        "no event type": b'{"user_id":"odd"}',
        "an event type that is a number": b'{"event_type":7,"user_id":"odd"}',
        "no id": b'{"event_type":"Odd"}',
        "an id that Amplitude refuses": b'{"event_type":"Odd","user_id":"anonymous"}',
        "a number beyond every float": b'{%b,"timezone":1e999}' % odd,
        "such a number, deep inside": b'{%b,"event_properties":{"a":[{"b":-1e400}]}}' % odd,
        "an integer of 5,000 digits": b'{%b,"event_properties":{"a":%b}}' % (odd, b"9" * 5000),
        "nested too deep": b'{%b,"event_properties":%b}' % (odd, b'{"a":' * 60 + b"1" + b"}" * 60),
        "nested by the thousand": b'{%b,"a":%b}' % (odd, b"[" * 50_000 + b"]" * 50_000),
        "a time that is a text": b'{%b,"time":"now"}' % odd,
        "properties that are a text": b'{%b,"event_properties":"x"}' % odd,
        "large, and no JSON": b"{" * 500_000,
    }
    found = [OddRecord(name, b"odd", value) for name, value in values.items()]
    return [
        *found,
        OddRecord("a tombstone", b"odd", None),
        OddRecord("neither key nor value", None, None),
        OddRecord("another user's key", b"somebody-else", b"{%b}" % odd),
        OddRecord("a key that is no text", b"\xff\xff", b"{%b}" % odd),
        OddRecord(
            "headers that lie",
            b"odd",
            b"no JSON",
            [
                ("destination", b"aampe-chaos"),
                ("attempts", b"9" * 5000),
                ("origin", b"chaos.events/-1/99999999999999999999"),
                ("not_before", b"9999-12-31T23:59:59+99:99"),
                ("reason", None),
                ("first_failed_at", b"\xff"),
            ],
        ),
    ]


ODD_HEADERS: Sequence[Headers] = (
    [("source", None)],
    [("source", b"\xff\xfe")],
    [("attempts", b"9" * 5000), ("not_before", b"never"), ("status", b"\xc2\xb2")],
    [("", b""), ("", None)],
    [("traceparent", b"\x00" * 300)],
)


@dataclass(slots=True)
class OddProducer:
    """Produces straight to Kafka; `acknowledged` are the insert_ids of its good events."""

    kafka: Kafka
    random: Random
    acknowledged: list[str] = field(default_factory=list)
    _sent: int = 0

    async def produce_until(self, over: asyncio.Event) -> None:
        """Keep producing, each record until Kafka has it."""
        arguments = client_arguments(self.kafka)
        producer = AIOKafkaProducer(
            **arguments, acks="all", enable_idempotence=True, metadata_max_age_ms=METADATA_MS
        )
        await producer.start()
        try:
            for record in self._endless():
                if over.is_set():
                    return
                await self._produce(producer, record)
                await asyncio.sleep(self.random.uniform(*REST_SECONDS))
        finally:
            await producer.stop()

    def _endless(self) -> Iterator[OddRecord]:
        """Every unusable kind, in another order each time, with good events between."""
        while True:
            kinds = list(unusable_records())
            self.random.shuffle(kinds)
            for kind in kinds:
                yield kind
                yield self._good()

    def _good(self) -> OddRecord:
        user, number = f"odd{self._sent % USERS}", self._sent // USERS
        self._sent += 1
        value = event(f"{user}-{number}")
        return OddRecord(GOOD, user.encode(), value, self.random.choice(ODD_HEADERS))

    async def _produce(self, producer: AIOKafkaProducer, record: OddRecord) -> None:
        topic = self.kafka.topics.events
        mark = [] if record.name == GOOD else [(MARK, record.name.encode())]
        while True:
            # A batch of its own: `send` refuses a record without key and value.
            batch = producer.create_batch()
            headers = [*record.headers, *mark]
            batch.append(timestamp=None, key=record.key, value=record.value, headers=headers)
            partitions = sorted(await producer.partitions_for(topic))
            # A user's events are where an edge would put them.
            place = positive_hash(record.key or b"") % len(partitions)
            try:
                await (await producer.send_batch(batch, topic, partition=partitions[place]))
            except KafkaError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            break
        if record.name == GOOD:
            user = (record.key or b"").decode()
            self.acknowledged.append(f"{user}-{(self._sent - 1) // USERS}")
