"""What every test may ask for: a running Kafka, and a name of its own in it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from testcontainers.community.kafka import KafkaContainer

from ampgate.kafka import EmbeddedKafka

KAFKA_IMAGE = "confluentinc/cp-kafka:8.1.0"  # Kafka 4.1, as the embedded one; testcontainers' kind.

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
        container = KafkaContainer(KAFKA_IMAGE).with_kraft()
        with container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false") as running:
            yield Broker(running.get_bootstrap_server())
    else:
        with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as embedded:
            yield Broker(embedded.bootstrap_servers)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}."


def docker_answers() -> bool:
    """Whether there is a Docker engine, not just its command."""
    # Asked by a process of its own: docker's client leaves a socket open when nobody answers.
    ping = [sys.executable, "-c", "import docker; docker.from_env(timeout=3).ping()"]
    return subprocess.run(ping, capture_output=True, check=False).returncode == 0
