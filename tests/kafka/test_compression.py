"""A cluster that refuses a compression gets the next one, and no write fails for it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from ampgate import topics
from ampgate.check.check import check
from schemas.configuration.config import Config, Kafka
from schemas.kafka.compression import CODECS
from schemas.records import NewRecord
from tests.kafka.refusing import RefusingKafka, refusing_kafka
from tests.kafka.writing import Topic, log_of

UNKNOWN, UNSUPPORTED_FOR_MESSAGE_FORMAT, UNSUPPORTED_COMPRESSION_TYPE = -1, 43, 76

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RefusingKafka]:
    async with refusing_kafka(tmp_path_factory.mktemp("refusing")) as kafka:
        yield kafka


def configured(refusing: RefusingKafka, prefix: str, compression: str) -> Kafka:
    servers = refusing.bootstrap_servers
    return Kafka.model_validate(
        {"bootstrap_servers": servers, "topic_prefix": prefix, "compression": compression}
    )


@pytest.mark.parametrize(
    ("compression", "refused", "error_code", "used"),
    [
        ("zstd", ["zstd"], UNKNOWN, "lz4"),
        ("zstd", ["zstd"], UNSUPPORTED_COMPRESSION_TYPE, "lz4"),
        ("lz4", ["snappy", "lz4", "zstd"], UNSUPPORTED_FOR_MESSAGE_FORMAT, "gzip"),
        ("snappy", list(CODECS)[1:], UNSUPPORTED_FOR_MESSAGE_FORMAT, "none"),
    ],
)
async def test_every_record_is_stored_in_order_though_its_first_compression_was_refused(
    refusing: RefusingKafka,
    topic_prefix: str,
    compression: str,
    refused: list[str],
    error_code: int,
    used: str,
) -> None:
    kafka = configured(refusing, topic_prefix, compression)
    topic = Topic(kafka, kafka.topics.events)
    await topic.create(partitions=3)
    refusing.refuse(*refused, error_code=error_code)
    values = [b"%d " % number + b"x" * 500 for number in range(300)]

    with capture_logs() as said:
        async with log_of(topic) as log:
            for start in range(0, 300, 100):
                records = [NewRecord(b"user-%d" % (n % 7), value) for n, value in enumerate(values)]
                await log.append(topic.name, records[start : start + 100])
    using = log.compression.name

    stored = [int((value or b"").split()[0]) for value in await topic.values()]
    assert using == used
    assert sorted(stored) == list(range(300))
    for user in range(7):
        assert [one for one in stored if one % 7 == user] == list(range(user, 300, 7))
    assert refusing.refusals[0] == compression
    assert {one["refused"] for one in said} == set(refusing.refusals)
    assert len(said) == len(set(refusing.refusals))  # Each is said once.


@pytest.mark.parametrize(
    ("refused", "says", "advice"),
    [
        ([], "lz4", ""),
        (["lz4"], "Kafka refuses lz4, gzip is used", 'set compression = "gzip" in [kafka]'),
    ],
)
async def test_check_says_which_compression_is_refused_and_what_to_configure(
    refusing: RefusingKafka, topic_prefix: str, refused: list[str], says: str, advice: str
) -> None:
    kafka = configured(refusing, topic_prefix, "lz4")
    await topics.create(kafka)
    refusing.refuse(*refused, error_code=UNSUPPORTED_FOR_MESSAGE_FORMAT)

    found = [one for one in await check(Config(kafka=kafka)) if one.subject == "compression"]

    assert [(one.ok, one.says, one.advice) for one in found] == [(True, says, advice)]
