"""The embedded Kafka is Apache Kafka: it keeps records, and ends with its parent process."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ampgate.errors import CommandError
from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports, is_free
from ampgate.topics import admin_client, create
from schemas.configuration.config import Kafka
from tests.eventually import eventually

TOPIC = "orders"

OWNER = """
import sys
from pathlib import Path
from ampgate.lab.kafka.kafka import EmbeddedKafka
kafka = EmbeddedKafka(Path(sys.argv[1]))
kafka.start()
print(kafka.running[1].pid, kafka.bootstrap_servers, flush=True)
sys.stdin.read()
"""

WITHOUT_EXTRA = """
import sys
from pathlib import Path
from ampgate.errors import CommandError
from ampgate.lab.kafka.kafka import EmbeddedKafka
sys.modules["jgo"] = None
try:
    EmbeddedKafka(Path(sys.argv[1]), jars_dir=Path(sys.argv[1]) / "jars").start()
except CommandError as error:
    print(error)
"""


async def test_records_survive_a_restart_on_the_same_data(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path) as kafka:
        await create_topic(kafka)
        await produce(kafka, [b"one", b"two"])
    with EmbeddedKafka(tmp_path) as again:
        assert await consume(again, 2) == [b"one", b"two"]
        assert again.bootstrap_servers == kafka.bootstrap_servers


async def test_the_first_group_finds_its_coordinator_once_the_topics_are_there(
    tmp_path: Path,
) -> None:
    with EmbeddedKafka(tmp_path) as kafka:
        settings = Kafka(bootstrap_servers=kafka.bootstrap_servers)
        await create(settings)
        async with admin_client(settings) as admin:
            found = [await admin.find_coordinator(group) for group in ("one", "two", "three")]
    assert len(set(found)) == 1, "one broker coordinates them all"


async def test_records_survive_kill_9_and_the_next_start_may_use_another_port(
    tmp_path: Path,
) -> None:
    with EmbeddedKafka(tmp_path) as kafka:
        await create_topic(kafka)
        await produce(kafka, [b"one"])
        kafka.running[1].kill()
        kafka.running[1].wait()
        with pytest.raises(CommandError, match="node 1 failed: it ended with status -9"):
            kafka.look_after()
    [port] = free_ports(1)
    with EmbeddedKafka(tmp_path, port=port) as again:
        await produce(again, [b"two"])

        assert again.bootstrap_servers == f"127.0.0.1:{port}"
        assert await consume(again, 2) == [b"one", b"two"]


async def test_three_brokers_keep_serving_while_one_is_dead(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path, brokers=3, heap_megabytes=256) as kafka:
        await create_topic(kafka, replicas=3)
        await produce(kafka, [b"one"])
        kafka.kill(1)
        await produce(kafka, [b"two"])
        kafka.restart(1)
        await produce(kafka, [b"three"])

        assert await consume(kafka, 3) == [b"one", b"two", b"three"]


def test_stop_ends_a_kafka_that_hangs_too_and_leaves_no_process(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path, stop_timeout_seconds=1.0)
    kafka.start()
    pid = kafka.running[1].pid
    psutil.Process(pid).suspend()
    kafka.stop()

    assert not psutil.pid_exists(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
async def test_kafka_dies_with_its_killed_parent_and_can_be_started_again_at_once(
    tmp_path: Path,
) -> None:
    java, bootstrap_servers = kafka_of_a_killed_parent(tmp_path)
    await eventually(lambda: not java.is_running() or java.status() == psutil.STATUS_ZOMBIE)

    port = int(bootstrap_servers.rpartition(":")[2])
    await eventually(lambda: is_free(port))
    with EmbeddedKafka(tmp_path) as again:
        assert again.bootstrap_servers == bootstrap_servers


def kafka_of_a_killed_parent(directory: Path) -> tuple[psutil.Process, str]:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        pid, bootstrap_servers = owner.stdout.readline().split()
        java = psutil.Process(int(pid))
        assert "kafka.Kafka" in java.cmdline()
        owner.send_signal(signal.SIGKILL)
    return java, bootstrap_servers


def test_a_failed_start_shows_what_kafka_said(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path):
        pass
    broken = EmbeddedKafka(tmp_path, settings={"num.io.threads": "many"})

    with pytest.raises(CommandError, match=r"(?s)node 1 failed.*many.*num\.io\.threads"):
        broken.start()


def test_a_second_kafka_on_the_same_data_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path) as kafka:
        with pytest.raises(CommandError, match="another Kafka runs on"):
            EmbeddedKafka(tmp_path).start()

        kafka.kill(1)
        kafka.restart(1)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(CommandError, match=f"port {port}.*is taken"):
            EmbeddedKafka(tmp_path, port=port).start()


def test_another_number_of_brokers_on_the_same_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text('{"cluster_id": "c", "ports": [1, 2, 3]}')

    with pytest.raises(CommandError, match="holds a cluster of 3 brokers, not 1"):
        EmbeddedKafka(tmp_path).start()


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, tmp_path], capture_output=True, text=True, check=True
    ).stdout

    assert "pip install 'ampgate[embedded]'" in said


async def create_topic(kafka: EmbeddedKafka, *, replicas: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, replicas)])
    finally:
        await admin.close()


async def produce(kafka: EmbeddedKafka, values: list[bytes]) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True
    ) as producer:
        for value in values:
            await producer.send_and_wait(TOPIC, value)


async def consume(kafka: EmbeddedKafka, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id="readers",  # So the group coordinator has to work, too.
        auto_offset_reset="earliest",
    ) as consumer:
        return [(await consumer.getone()).value for _ in range(count)]
