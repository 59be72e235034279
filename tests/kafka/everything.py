"""All that has ended or stopped a delivery before: records, letters, answers."""

import os
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from ampgate.lab.chaos.odd_records import unusable_records
from tests.kafka.delivery_world import World
from tests.operating import AAMPE, AMPLITUDE
from tests.raw_batches import Raw

DESTINATIONS = (AMPLITUDE, AAMPE)
ODD = "odd"  # A header: which kind of unusable record it is.
PAGE = "<html>Sign in</html>"
DIGITS = "9" * 5000
# For each it is known what is wrong, and it is never the record in the request that it answers.
ANSWERS: Sequence[dict[str, object]] = (
    {"status": 200, "body": PAGE},
    {"status": 200, "body": {"code": 500}},
    {"status": 200},
    {"status": 204},
    {"status": 400, "body": PAGE},
    {"status": 402, "body": PAGE},
    {"status": 403, "body": PAGE},
    {"status": 407, "body": PAGE},
    {"status": 410},
    {"status": 421},
    {"status": 425},
    {"status": 451, "body": PAGE},
    {"status": 503, "headers": {"retry-after": "-1"}},
    {"status": 503, "headers": {"retry-after": "1e400"}},
    {"status": 503, "headers": {"retry-after": "Sun, 06 Nov 1994 08:49:37 +99999999999999999999"}},
    {"status": 503, "headers": {"retry-after": "Mon, 01 Jan 0001 00:00:00 GMT"}},
    {"status": 503, "headers": {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}},
    {"status": 429, "headers": {"retry-after": "0"}, "body": PAGE},
)
# Valid records with odd headers, which a reader must accept.
ODD_HEADERS: Sequence[Sequence[tuple[bytes, bytes | None]]] = (
    [(b"source", None)],
    [(b"caf\xe9\xff", b"1"), (b"", None)],
    [(b"attempts", DIGITS.encode()), (b"not_before", b"never"), (b"status", b"\xc2\xb2")],
    [(b"traceparent", b"\x00" * 300), (b"opted_out", None)],
)


def faults(numbers: Sequence[int]) -> Sequence[dict[str, object]]:
    """Each answer once, to the request that carries the event of its number."""
    properties = [{"match": {"event_properties": {"n": number}}, "times": 1} for number in numbers]
    return [
        {**rule, "effect": {"kind": "answer", **answer}}
        for rule, answer in zip(properties, ANSWERS, strict=True)
    ]


def odd_records() -> Sequence[Raw]:
    """Each has to become a dead letter of both destinations."""
    named = [
        (one.name, one.key, one.value, [(name.encode(), value) for name, value in one.headers])
        for one in unusable_records()
    ]
    named.append(("a header that is not UTF-8", b"odd", b"{", [(b"\xff\xfe", b"1")]))
    mark = ODD.encode()
    return [Raw(key, value, [*said, (mark, one.encode())]) for one, key, value, said in named]


def letter(destination: str, origin: str, key: str, value: bytes | None, **others: str) -> Raw:
    """A parked record as anybody may have written it; without a value it is a reference."""
    said = {"destination": destination, "origin": origin, **others}
    said |= {"truncated": "9"} if value is None else {}
    headers = [(name.encode(), text.encode()) for name, text in said.items()]
    return Raw(key.encode(), value, headers)


def lies(topic: str, key: str) -> Sequence[Raw]:
    """In the parked topic. Of each destination one is dead: its origin is nowhere."""
    found = [Raw(None, None), Raw(b"\xff", b"\xff", [(b"\xff\xfe", None), (b"destination", None)])]
    for name in DESTINATIONS:
        found.append(letter(name, f"{topic}/{2**31 - 1}/0", key, None, not_before="0001-01-01"))
        found.append(letter(name, f"no such topic/{DIGITS}/{DIGITS}", key, None, attempts=DIGITS))
        found.append(letter(name, "///", key, b"{", status=DIGITS, not_before=DIGITS))
    return found


async def produce_large(world: World) -> int:
    """Bad records too large for the topic of the dead letters, or for any producer; how many."""
    topic = world.config.kafka.topics.events
    headers = [(ODD, b"too large for its letter")]
    async with AIOKafkaProducer(
        bootstrap_servers=world.config.kafka.bootstrap_servers,
        compression_type="gzip",
        max_request_size=30_000_000,
    ) as producer:
        values = b"{" + b" " * 24_000_000, b"{" + os.urandom(2_000_000)
        for value in values:
            await producer.send_and_wait(topic, value, b"odd", headers=headers)
    return len(values)


async def produce_transactions(world: World, committed: bytes, aborted: bytes, key: bytes) -> None:
    """One of each, with Kafka's markers behind them."""
    topic, servers = world.config.kafka.topics.events, world.config.kafka.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic) as producer:
        for value, end in (
            (aborted, producer.abort_transaction),
            (committed, producer.commit_transaction),
        ):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, value, key, partition=0)
            await end()
