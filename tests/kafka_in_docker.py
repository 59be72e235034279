"""Kafka in a container, where a Docker engine answers and can get the image."""

import os
import subprocess
import sys
from collections.abc import Mapping

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from ampgate.lab.kafka.jars import KAFKA_VERSION

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"  # The same Kafka, wherever the tests run.
LOOK = """
import sys
import docker
docker.from_env(timeout=30).ping()
images = docker.from_env().images
for name in sys.argv[1:]:
    try:
        images.get(name)
    except docker.errors.ImageNotFound:
        images.pull(name)
"""


def needed_images() -> list[str]:
    """Kafka's, and that of the container with which testcontainers cleans up, unless forbidden."""
    settings = testcontainers_config
    images = [KAFKA_IMAGE] if settings.ryuk_disabled else [KAFKA_IMAGE, settings.ryuk_image]
    return [settings.hub_image_name_prefix + image for image in images]


def why_not(images: list[str], environ: Mapping[str, str] = os.environ) -> str | None:
    """Why these images cannot run in Docker here, in a line; None if they can.

    An engine without a registry is common (a train, a closed network): no reason for tests to fail.
    """
    # Asked by a process of its own: docker's client leaves a socket open when nobody answers.
    look = [sys.executable, "-c", LOOK, *images]
    done = subprocess.run(look, capture_output=True, text=True, env=environ, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


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
