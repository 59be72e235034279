"""What Kafka itself says, looked at every few seconds: the topics' ends and their retention, what
waits for destinations that no process reports, and whether Kafka can be reached at all."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import structlog
from aiokafka.errors import KafkaError

from ampgate.archive.archive import Archive, archive
from ampgate.check.topics import FOR_EVER, settings_of
from ampgate.errors import CommandError
from ampgate.topics import admin_client
from ampgate.trace.commits import progress_in
from consumers.destinations import parts_of
from schemas.configuration.config import Config
from schemas.topics import Kind

LOOK_SECONDS = 5.0
LOOKING_SHARE = 10  # A look that takes long is made less often.
SETTINGS_SECONDS = 300.0
UNATTENDED_SECONDS = 30.0
TIMEOUT_SECONDS = 30.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Topic:
    """`written` counts from the topic's beginning, `held` what is there now."""

    written: int
    held: int
    partitions: int


@dataclass(slots=True)
class Stored:
    """`trouble` says why Kafka cannot be read, `since` when that began."""

    topics: Mapping[str, Topic] = field(default_factory=dict)
    retention_seconds: float | None = None  # The shortest of the topics with records.
    unread: Mapping[str, int] = field(default_factory=dict)  # Of unattended destinations.
    trouble: str | None = None
    since: float = 0.0


class Watch:
    """Keeps `stored` up to date until it is cancelled."""

    def __init__(self, config: Config, unattended: Callable[[], Collection[str]]) -> None:
        self.config = config
        self._unattended = unattended
        self._asked_settings_at = self._asked_unread_at = float("-inf")
        self.stored = Stored()

    async def run(self) -> None:
        while True:
            try:
                limit = asyncio.timeout(TIMEOUT_SECONDS)
                async with limit, archive(self.config.kafka) as kafka:
                    await self._look_often(kafka, limit)
            except TimeoutError:
                self._failed("Kafka does not answer")
            except (CommandError, KafkaError, OSError) as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001  The next look may succeed.
                log.error("console look at Kafka failed, looking again", error=repr(error))
                self._failed(f"a failure of ours: {type(error).__name__}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_often(self, kafka: Archive, limit: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            limit.reschedule(began + TIMEOUT_SECONDS)
            await self._look(kafka)
            self.stored.trouble = None
            pause = max(LOOK_SECONDS, LOOKING_SHARE * (loop.time() - began))
            limit.reschedule(loop.time() + pause + TIMEOUT_SECONDS)
            await asyncio.sleep(pause)

    async def _look(self, kafka: Archive) -> None:
        now = time.monotonic()
        found: dict[str, Topic] = {}
        for name in self.config.kafka.topics.lasting:
            spans = await kafka.spans(name)
            held = sum(span.end - span.start for span in spans)
            found[name] = Topic(sum(span.end for span in spans), held, len(spans))
        self.stored.topics = found
        if now - self._asked_settings_at > SETTINGS_SECONDS:
            self._asked_settings_at = now
            self.stored.retention_seconds = await self._retention()
        if now - self._asked_unread_at > UNATTENDED_SECONDS:
            self._asked_unread_at = now
            self.stored.unread = {
                name: await self._unread(kafka, name) for name in self._unattended()
            }

    async def _retention(self) -> float | None:
        """None if records are kept for ever, or nobody tells us."""
        topics = self.config.kafka.topics
        async with admin_client(self.config.kafka) as admin:
            found = await settings_of(admin, [topics.of(kind) for kind in Kind])
        kept = [int(one["retention.ms"]) for one in found.values() if "retention.ms" in one]
        return min((one / 1000 for one in kept if one != FOR_EVER), default=None)

    async def _unread(self, kafka: Archive, name: str) -> int:
        """Of what its groups have committed; of a group without commits, all that is there."""
        topics, count = self.config.kafka.topics, 0
        configured = [one for one in self.config.destinations if one.name == name]
        for part in (part for one in configured for part in parts_of(one)):
            topic = topics.of(part.kind)
            group_id = topics.group_id(part.name, part.kind)
            progress = await progress_in(kafka, group_id, topic, topics.parked)
            for span in await kafka.spans(topic):
                done = progress.get(span.partition)
                start = span.start if done is None else max(span.start, done.committed)
                count += max(0, span.end - start)
        return count

    def _failed(self, why: str) -> None:
        if self.stored.trouble is None:
            self.stored.since = time.time()
        self.stored.trouble = why
