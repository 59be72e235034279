"""The examples of docs/producing.md work as they are printed: the same record, the same place."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.partitioner import murmur2

from ampgate import topics
from ampgate.lab.kafka.jars import class_path
from ampgate.lab.kafka.kafka import JARS_DIR
from schemas.configuration.config import Kafka
from schemas.events import read_event
from tests.conftest import Broker
from tests.docs.tables import DOCS

PARTITIONS = 12
GO = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
FRANZ_GO = "github.com/twmb/franz-go/pkg/kgo@v1.19.5"


def java_compiles() -> bool:
    if shutil.which("java") is None:
        return False
    modules = subprocess.run(["java", "--list-modules"], capture_output=True, check=False)
    return b"jdk.compiler" in modules.stdout


def run(command: list[str], directory: Path) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run_python(code: str, directory: Path) -> None:
    (directory / "produce.py").write_text(code)
    run([sys.executable, "produce.py"], directory)


def run_java(code: str, directory: Path) -> None:
    if not java_compiles():
        pytest.skip("there is no JDK")
    (directory / "Produce.java").write_text(code)
    jars = class_path(JARS_DIR.expanduser(), print)
    run(["java", "-cp", jars, "Produce.java"], directory)


def run_go(code: str, directory: Path) -> None:
    if GO is None:
        pytest.skip("there is no Go")
    (directory / "main.go").write_text(code)
    run([GO, "mod", "init", "example.org/produce"], directory)
    got = subprocess.run(
        [GO, "get", FRANZ_GO],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"GOTOOLCHAIN": "local"},
    )
    if got.returncode != 0:
        pytest.skip(f"{FRANZ_GO} is out of reach: {got.stderr.strip()[-200:]}")
    run([GO, "run", "."], directory)


@pytest.mark.parametrize(
    ("language", "runner"), [("python", run_python), ("java", run_java), ("go", run_go)]
)
async def test_the_example_writes_a_record_that_can_be_delivered(
    language: str,
    runner: Callable[[str, Path], None],
    kafka: Broker,
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    reached = Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
    await topics.create(reached, partitions=PARTITIONS)

    runner(example(language, reached), tmp_path)

    record = await the_one_record(reached)
    key = b"ann@example.org"
    assert record.key == key
    assert record.partition == (int(murmur2(key)) & 0x7FFFFFFF) % PARTITIONS
    assert record.headers == (("source", b"orders"),)
    properties = json.loads(record.value)["event_properties"]
    assert properties == {"total": 42.5, "language": language}
    assert read_event(record.value).user_id == "ann@example.org"  # type: ignore[union-attr]


def example(language: str, kafka: Kafka) -> str:
    """The printed example, for this Kafka and its topics."""
    page = (DOCS / "producing.md").read_text()
    [code] = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert '"127.0.0.1:9092"' in code
    assert '"ampgate.events"' in code
    code = code.replace('"127.0.0.1:9092"', f'"{kafka.bootstrap_servers}"')
    return str(code.replace('"ampgate.events"', f'"{kafka.topics.events}"'))


async def the_one_record(kafka: Kafka) -> Any:  # noqa: ANN401  aiokafka has no types.
    async with AIOKafkaConsumer(
        kafka.topics.events,
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
    ) as consumer:
        record = await consumer.getone()
        ends = await consumer.end_offsets(consumer.assignment())
    assert sum(ends.values()) == 1
    return record
