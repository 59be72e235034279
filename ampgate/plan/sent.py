"""The records that were sent: those in Kafka, and those that a plan kept out of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from ampgate.archive.archive import archive
from ampgate.archive.batches import Wanted
from ampgate.preview.lines import chunks
from ampgate.preview.preview import kind_of
from ampgate.resend.parking import EDGE, admitted_as
from schemas.configuration.config import Config
from schemas.plans.plan import NOT_IN_PLAN, VIOLATES_PLAN
from schemas.records import Stored, source_of
from schemas.topics import Kind

See: TypeAlias = Callable[[Kind, bytes, str], object]  # The last is the source.


async def in_kafka(config: Config, since_ms: int | None, see: See) -> None:
    """Records of the topics, and what an edge did not store as its plan blocks it."""
    topics = config.kafka.topics
    async with archive(config.kafka) as kafka:
        for kind in Kind:

            async def each(records: list[Stored], kind: Kind = kind) -> None:
                for record in records:
                    see(kind, record.value or b"", source_of(record))

            spans = await kafka.spans(topics.of(kind), since_ms=since_ms)
            await kafka.search(spans, Wanted(since_ms=since_ms), each)

        async def each_letter(letters: list[Stored]) -> None:
            for letter in letters:
                is_blocked = letter.header("reason") in (NOT_IN_PLAN, VIOLATES_PLAN)
                if letter.header("destination") == EDGE and is_blocked:
                    kind = admitted_as(letter.value)
                    if kind is not None:
                        see(kind, letter.value or b"", source_of(letter))

        spans = await kafka.spans(topics.dead_letters, since_ms=since_ms)
        wanted = Wanted([NOT_IN_PLAN.encode(), VIOLATES_PLAN.encode()], since_ms)
        await kafka.search(spans, wanted, each_letter)


def in_file(file: Path, see: See) -> None:
    """Those of an NDJSON file, whose name stands for their source."""
    for lines in chunks(file):
        for _, value in lines:
            see(kind_of(value), value, file.name)
