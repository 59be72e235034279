"""The delivery: Kafka in, requests to a sink that only counts out."""

import asyncio
import re
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from ampgate import topics
from ampgate.configuration import client_arguments
from ampgate.kafka_ports import free_ports
from benchmarks.events import event
from benchmarks.processes import cpu_seconds, get, process, rss_megabytes
from benchmarks.row import Row, row
from schemas.config import Kafka
from schemas.config_file import load

PARTITIONS = 12
AMPLITUDE_EVENTS = 300_000
AAMPE_EVENTS = 60_000
POLL_SECONDS = 0.1
SECONDS_MAX = 180.0
LEADERS_SECONDS = 2.0  # A new topic's partitions take a moment to get theirs.
AMPLITUDE = 'type = "amplitude"'
AAMPE = 'type = "aampe"\nregion = "us-east1"'
METRIC = re.compile(r"^ampgate_delivery_records_total\{(.*)\} (\S+)$", re.MULTILINE)

CONFIGURATION = """\
[kafka]
bootstrap_servers = "{bootstrap_servers}"
topic_prefix = "{prefix}."

[delivery]
admin_host = "127.0.0.1"
admin_port = {port}

[[destinations]]
name = "{prefix}"
api_key = "bench"
base_url = "http://127.0.0.1:{sink_port}"
{kind}
"""


def measure(directory: Path, bootstrap_servers: str) -> list[Row]:
    def one(name: str, prefix: str, kind: str, events: int, status: int) -> Row:
        port, sink_port = free_ports(2)
        path = directory / f"{prefix}.toml"
        path.write_text(
            CONFIGURATION.format(
                bootstrap_servers=bootstrap_servers,
                prefix=prefix,
                port=port,
                sink_port=sink_port,
                kind=kind,
            )
        )
        asyncio.run(preload(load(path, {}).kafka, events))
        sink = f"http://127.0.0.1:{sink_port}/"
        admin = f"http://127.0.0.1:{port}/metrics"
        with (
            process("benchmarks.sink", str(sink_port), str(status), ready=sink),
            process("ampgate", "deliver", prefix, ready=admin, config=path) as pid,
        ):
            measured = drained(name, pid, admin, events)
            assert int(get(sink)) > 0, "the sink saw no request"
        return measured

    plain = f"{AMPLITUDE}\ngzip = false"
    return [
        one("delivery to Amplitude, gzip", "amplitude", AMPLITUDE, AMPLITUDE_EVENTS, 200),
        one("delivery to Amplitude, no gzip", "amplitude-plain", plain, AMPLITUDE_EVENTS, 200),
        one("delivery to Aampe", "aampe", AAMPE, AAMPE_EVENTS, 202),
    ]


def drained(name: str, pid: int, admin: str, total: int) -> Row:
    """From the first events seen delivered to the last: starting up is not an event's cost."""
    deadline = time.monotonic() + SECONDS_MAX
    first: tuple[int, float, float] | None = None
    while True:
        delivered = settled(get(admin))
        cpu, now = cpu_seconds(pid), time.monotonic()
        if first is None and delivered:
            first = (delivered, cpu, now)
        if delivered >= total:
            break
        assert now < deadline, f"{name}: {delivered} of {total} after {SECONDS_MAX:g} s"
        time.sleep(POLL_SECONDS)
    assert first is not None
    assert delivered > first[0], f"{name}: all was delivered before the first look"
    return row(
        name,
        cpu=cpu - first[1],
        events=delivered - first[0],
        seconds=now - first[2],
        rss=rss_megabytes(pid),
    )


def settled(metrics: str) -> int:
    """How many were delivered; none may end otherwise."""
    counts = {labels: int(float(value)) for labels, value in METRIC.findall(metrics)}
    other = {k: v for k, v in counts.items() if 'outcome="delivered"' not in k and v}
    assert not other, f"not delivered: {other}"
    return sum(counts.values())


async def preload(kafka: Kafka, events: int) -> None:
    """So many events into the topic, each in its key's partition, in full batches."""
    await topics.create(kafka, partitions=PARTITIONS)
    await asyncio.sleep(LEADERS_SECONDS)
    arguments = client_arguments(kafka)
    producer = AIOKafkaProducer(
        **arguments, acks="all", compression_type="lz4", max_batch_size=256_000
    )
    async with producer:
        batches = {partition: producer.create_batch() for partition in range(PARTITIONS)}
        sent = []
        for number in range(events):
            key, value = event(number)
            partition = (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
            now = int(time.time() * 1000)
            if batches[partition].append(timestamp=now, key=key, value=value) is None:
                topic = kafka.topics.events
                sent.append(
                    await producer.send_batch(batches[partition], topic, partition=partition)
                )
                batches[partition] = producer.create_batch()
                batches[partition].append(timestamp=now, key=key, value=value)
        for partition, batch in batches.items():
            sent.append(await producer.send_batch(batch, kafka.topics.events, partition=partition))
        await asyncio.gather(*sent)
