"""What every test may ask for: a running Kafka, and a name of its own in it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from ampgate.kafka import EmbeddedKafka
from ampgate.kafka_jars import KAFKA_VERSION
from ampgate.kafka_ports import free_ports

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"  # The same Kafka, wherever the tests run.

# A busy machine is no defect: time is judged by `make bench` alone.
settings.register_profile("ampgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ampgate")


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka that takes records, wherever it runs."""

    bootstrap_servers: str


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The Kafka you named, else one in Docker, else the embedded one; the same for all tests."""
    if named := os.environ.get("AMPGATE_KAFKA__BOOTSTRAP_SERVERS"):
        yield Broker(named)
    elif docker_answers():
        host, [port] = DockerClient().host(), free_ports(1)
        with kafka_container(host, port):
            yield Broker(f"{host}:{port}")
    else:
        with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as embedded:
            yield Broker(embedded.bootstrap_servers)


def kafka_container(host: str, port: int) -> DockerContainer:
    """Kafka, reached on the same port inside and outside, so that it can name it to its clients.

    testcontainers' own KafkaContainer starts by scripts that only Confluent's images have.
    """
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    container.with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_LISTENERS=f"CLIENTS://0.0.0.0:{port},CONTROLLERS://127.0.0.1:9093",
        KAFKA_ADVERTISED_LISTENERS=f"CLIENTS://{host}:{port}",
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CLIENTS:PLAINTEXT,CONTROLLERS:PLAINTEXT",
        KAFKA_INTER_BROKER_LISTENER_NAME="CLIENTS",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLERS",
        KAFKA_CONTROLLER_QUORUM_VOTERS="1@127.0.0.1:9093",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
    )
    return container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}."


def docker_answers() -> bool:
    """Whether there is a Docker engine, not just its command."""
    # Asked by a process of its own: docker's client leaves a socket open when nobody answers.
    ping = [sys.executable, "-c", "import docker; docker.from_env(timeout=3).ping()"]
    return subprocess.run(ping, capture_output=True, check=False).returncode == 0
