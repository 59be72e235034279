"""Suppressions as records: listed, added, lifted."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from ampgate.archive.archive import Archive, archive
from ampgate.archive.batches import Wanted
from ampgate.check.topics import settings_of
from ampgate.errors import CommandError
from ampgate.topics import admin_client
from schemas.configuration.config import Config, Kafka
from schemas.decoding import NOT_DECODED
from schemas.kafka.batches import NotStored
from schemas.kafka.log import Log
from schemas.letters import timestamp
from schemas.records import RawRecord, Stored
from schemas.suppressions import AT, Suppression, change_of, compared

ACK_SECONDS = 30.0
CHUNK = 5_000
DAY_MS = 86_400_000
RETENTION_MS, SEGMENT_MS = 7 * DAY_MS, 7 * DAY_MS  # Kafka's defaults.
_value = msgspec.json.Decoder(Suppression)


@dataclass(frozen=True, slots=True)
class Listed:
    """A key of the topic, and what its record says."""

    name: str
    reason: str
    since: str
    by: str


@dataclass(frozen=True, slots=True)
class Copies:
    """By when Kafka has deleted what a topic has now; None: it never does."""

    topic: str
    gone_by: str | None


async def listed(kafka: Kafka) -> list[Listed]:
    async with archive(kafka) as stored:
        found = await _live(stored, kafka)
    return [Listed(name, one.reason, one.since, one.by) for name, one in sorted(found.items())]


async def add(
    kafka: Kafka, names: Sequence[str], said: Suppression, on_stored: Callable[[int], None]
) -> None:
    value = msgspec.json.encode(said)
    records = [RawRecord(compared(name).encode(), value, ()) for name in names]
    await _store(kafka, records, on_stored)


async def remove(
    config: Config, names: Collection[str], on_stored: Callable[[int], None]
) -> tuple[int, dict[str, str]]:
    """How many keys were lifted, in whatever case they were written; and who stays suppressed, by
    the key of a domain or by the edge's configuration.
    """
    kafka, wanted = config.kafka, {compared(name): name for name in names}
    async with archive(kafka) as stored:
        live = await _live(stored, kafka)
    lifted = [name for name in live if compared(name) in wanted]
    await _store(kafka, [RawRecord(name.encode(), None, ()) for name in lifted], on_stored)
    domains = {compared(name) for name in live if name.startswith(AT)}.difference(wanted)
    listed = frozenset(config.edge.suppressed_user_ids)
    stays = {name: "edge.suppressed_user_ids" for name in names if name in listed}
    for text, name in wanted.items():
        domain = AT + text.rpartition(AT)[2]
        if AT in text[1:] and domain in domains:
            stays[name] = domain
    return len(lifted), stays


async def copies(kafka: Kafka, now_ms: int) -> list[Copies]:
    """A segment goes as a whole, and takes new records for a while before its time runs."""
    async with admin_client(kafka) as admin:
        found = await settings_of(admin, list(kafka.topics.lasting))
    return [Copies(topic, _gone_by(settings, now_ms)) for topic, settings in found.items()]


def _gone_by(settings: dict[str, str], now_ms: int) -> str | None:
    retention = int(settings.get("retention.ms", RETENTION_MS))
    segment = int(settings.get("segment.ms", SEGMENT_MS))
    return None if retention < 0 else timestamp((now_ms + retention + segment) / 1000)


async def _live(stored: Archive, kafka: Kafka) -> dict[str, Suppression]:
    found: dict[str, Suppression] = {}

    async def read(records: list[Stored]) -> None:
        for record in records:
            change = change_of(record.key, record.value)
            if change is None:
                continue
            if change.is_suppressed:
                found[change.name] = _said(record.value or b"")
            else:
                found.pop(change.name, None)

    await stored.search(await stored.spans(kafka.topics.suppressions), Wanted(), read)
    return found


def _said(value: bytes) -> Suppression:
    """An odd value suppresses, and says nothing."""
    try:
        return _value.decode(value)
    except NOT_DECODED:
        return Suppression()


async def _store(
    kafka: Kafka, records: Sequence[RawRecord], on_stored: Callable[[int], None]
) -> None:
    topic = kafka.topics.suppressions
    async with _log(kafka) as log:
        for start in range(0, len(records), CHUNK):
            chunk = records[start : start + CHUNK]
            try:
                await log.store_all(topic, chunk)
            except NotStored as error:
                raise CommandError(f"{start} were stored, then: {error}") from error
            on_stored(len(chunk))


@asynccontextmanager
async def _log(kafka: Kafka) -> AsyncIterator[Log]:
    log = Log(
        kafka,
        [kafka.topics.suppressions],
        ack_timeout_seconds=ACK_SECONDS,
        on_outage="nothing is stored",
    )
    await log.start()
    try:
        yield log
    finally:
        await log.stop()
