"""A quick start for the embedded Kafka of the tests: `python -m tests.kafka_start FILE`.

Theory of operation: Java reads and checks thousands of classes at each start, which is more than
half of what a broker's start costs, and the tests start some sixty programs of Kafka. A broker that
is started, used and stopped here writes FILE, Java's AOT cache (JEP 514); each Java of the tests
begins with it (`java_options`). A Java that finds it made by another one, or of other jars, starts
without.
"""

import asyncio
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka import AIOKafkaConsumer

from ampgate.errors import CommandError
from ampgate.lab.kafka.kafka import EmbeddedKafka
from schemas.configuration.config import Kafka
from tests.kafka.writing import Topic

CACHE = Path(sys.prefix) / "kafka.aot"
OPTIONS = "JDK_JAVA_OPTIONS"  # The environment variable that every `java` reads.
WRITING_SECONDS_MAX = 240.0  # The cache is written as the broker stops: 4 s on a quiet machine.
# Other Javas, as that of an SDK, read it too, and may know no such cache. And a broker of a test
# ends before code of the slower compiler would pay.
QUICK_COMPILER = "-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1"


def java_options() -> dict[str, str]:
    """What the tests' environment says to each Java, unless it says something already."""
    if OPTIONS in os.environ:
        return {}
    cache = f' "-XX:AOTCache={CACHE}"' if CACHE.exists() else ""
    return {OPTIONS: QUICK_COMPILER + cache}


class RecordedKafka(EmbeddedKafka):
    """Its broker writes down what it loads; the tool that prepares its storage does not."""

    def __init__(self, directory: Path, cache: Path) -> None:
        super().__init__(directory, stop_timeout_seconds=WRITING_SECONDS_MAX)
        self._cache = cache

    def _format(self, cluster_id: str) -> None:
        super()._format(cluster_id)
        os.environ[OPTIONS] = f'{QUICK_COMPILER} "-XX:AOTCacheOutput={self._cache}"'


async def use(kafka: EmbeddedKafka) -> None:
    """What nearly all tests do: a topic, a record, a group that reads it."""
    topic = Topic(Kafka(bootstrap_servers=kafka.bootstrap_servers), "topic")
    await topic.create()
    await topic.produce([b"{}"])
    async with AIOKafkaConsumer(
        topic.name,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id="readers",
        auto_offset_reset="earliest",
    ) as consumer:
        await consumer.getone()


def write(file: Path) -> None:
    unfinished = file.with_suffix(".new")
    with TemporaryDirectory() as directory, RecordedKafka(Path(directory), unfinished) as kafka:
        asyncio.run(use(kafka))
    unfinished.replace(file)


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]))
    except (CommandError, OSError) as error:
        print(f"Kafka will start slowly in tests: {error}")
