"""What the processes log: a JSON object a line, and never a secret, also when all goes wrong."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ampgate.lab.kafka.ports import free_ports
from schemas.topics import Kind
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.processes import post, running, until_answers
from tests.operating import operation

WRITE_KEY, API_KEY, PASSWORD = "write-key-8c1f", "api-key-77d0", "kafka-password-31ab"
EVENT = {"event_type": "Sign Up", "user_id": "ann-3d2a@example.org"}
SECRETS = (WRITE_KEY, API_KEY, PASSWORD, EVENT["user_id"])


@pytest.fixture
def nowhere(tmp_path: Path) -> tuple[Path, int, int]:
    """A configuration whose Kafka does not exist, and the two ports of ours."""
    kafka, edge, admin = free_ports(3)
    file = tmp_path / "ampgate.toml"
    file.write_text(
        f"""
        [kafka]
        bootstrap_servers = "127.0.0.1:{kafka}"
        security_protocol = "SASL_PLAINTEXT"
        sasl_mechanism = "SCRAM-SHA-256"
        sasl_plain_username = "ampgate"
        sasl_plain_password = "{PASSWORD}"
        [edge]
        host = "127.0.0.1"
        port = {edge}
        ack_timeout_seconds = 0.5
        [delivery]
        admin_host = "127.0.0.1"
        admin_port = {admin}
        [[sources]]
        name = "shop"
        write_key = "{WRITE_KEY}"
        [[destinations]]
        name = "amplitude-us"
        type = "amplitude"
        api_key = "{API_KEY}"
        """
    )
    return file, edge, admin


async def test_the_edge_logs_json_without_secrets_while_kafka_is_away(
    nowhere: tuple[Path, int, int],
) -> None:
    file, port, _ = nowhere
    url = f"http://127.0.0.1:{port}"
    with running("edge", configuration=file, environment={"AMPGATE_LOG_LEVEL": "debug"}) as edge:
        await until_answers(f"{url}/healthz", 200)
        assert await post(f"{url}/v1/events", EVENT, WRITE_KEY) == 503
        assert await post(f"{url}/v1/events", EVENT, f"x{WRITE_KEY}x") == 401
        edge.until_it_says("Kafka")
        edge.stop()

    check_lines(edge.said, "edge")


async def test_the_delivery_logs_json_without_secrets_while_kafka_is_away_and_does_not_end(
    nowhere: tuple[Path, int, int],
) -> None:
    file, _, port = nowhere
    debug = {"AMPGATE_LOG_LEVEL": "debug"}
    with running("deliver", configuration=file, environment=debug) as delivery:
        delivery.until_it_says("Kafka takes no writes")
        await until_answers(f"http://127.0.0.1:{port}/healthz", 200)
        await until_answers(f"http://127.0.0.1:{port}/metrics", 200)

        assert delivery.stop() == 0

    lines = check_lines(delivery.said, "delivery")
    assert sum(line["message"] == "Kafka takes no writes" for line in lines) == 1


async def test_who_got_which_partitions_is_told_by_group(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    world = await operation(kafka, topic_prefix)
    topics = world.config.kafka.topics
    kinds = {"amplitude-us": list(Kind), "aampe-us": [Kind.EVENT, Kind.USER_PROPERTIES]}
    expected = {topics.group_id(name, kind) for name, its in kinds.items() for kind in its}
    process = await world.start(tmp_path, "deliver")
    assert process.stderr is not None
    told: set[str] = set()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while told != expected:
                line = json.loads(await process.stderr.readline())
                if line["message"] == "partitions assigned":
                    told.add(line["group"])
    finally:
        process.terminate()
        await process.communicate()


def test_on_a_terminal_the_lines_are_for_people(nowhere: tuple[Path, int, int]) -> None:
    file, _, _ = nowhere
    shown = on_terminal(["deliver"], file, until=b"Kafka takes no writes")

    assert "{" not in shown.splitlines()[0]
    assert "Kafka takes no writes" in shown


def test_a_wrong_level_is_a_wrong_configuration(nowhere: tuple[Path, int, int]) -> None:
    file, _, _ = nowhere
    done = subprocess.run(
        [sys.executable, "-m", "ampgate", "deliver"],
        env=os.environ | {"AMPGATE_CONFIG": str(file), "AMPGATE_LOG_LEVEL": "loud"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "AMPGATE_LOG_LEVEL: 'loud'" in done.stderr


def check_lines(said: str, process: str) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in said.splitlines()]
    for line in lines:
        assert line.keys() >= {"time", "level", "logger", "message", "process"}
        assert line["process"] == process
    for secret in SECRETS:
        assert secret not in said
    return lines


def on_terminal(arguments: list[str], configuration: Path, until: bytes) -> str:
    """What the command shows on a terminal of its own, which is read until the command ends."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ampgate", *arguments],
        env=os.environ | {"AMPGATE_CONFIG": str(configuration)},
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        for part in read_terminal(ours):
            shown += part
            if until in shown and process.poll() is None:
                process.terminate()
    os.close(ours)
    return shown.decode()


def read_terminal(terminal: int) -> Iterator[bytes]:
    """Whatever is written there, until nobody holds its other end: Linux says so by EIO."""
    with suppress(OSError):
        while part := os.read(terminal, 65_536):
            yield part
