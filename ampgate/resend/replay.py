"""`ampgate replay`: send the records of some time again, to one destination only.

Theory of operation: the plan reads the log and counts; sending reads the same spans again and makes
the same decision for each record. Records are written to the parked topic, so no group's offset
changes, and the order of a key stays. All have the run's `replayed_at`: an interrupted run can be
resumed without sending anything twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ampgate.archive.archive import Archive, Span
from ampgate.archive.batches import Wanted
from ampgate.archive.spellings import spellings
from ampgate.resend.parking import Outgoing, Run
from ampgate.resend.renames import renames_of
from ampgate.resend.writer import Writer
from ampgate.trace.commits import progress_in
from ampgate.trace.whereabouts import Progress, identity_of
from consumers.delivery import border
from consumers.delivery.destination import Destination, Encoded
from consumers.destinations import destinations_in
from consumers.transform_times import Timed
from schemas.configuration.config import Config
from schemas.records import Stored
from schemas.topics import Kind
from schemas.vendors.vendor import ConfiguredDestination

DAY_MS = 86_400_000


class UnknownRunError(Exception):
    """No record of the run to resume is in Kafka."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The selected records, by their time in Kafka: from `from_ms` to before `to_ms`."""

    from_ms: int
    to_ms: int
    user: str | None = None
    event_type: str | None = None

    @property
    def wanted(self) -> Wanted:
        text = self.user if self.user is not None else self.event_type
        return Wanted(() if text is None else spellings(text), self.from_ms, self.to_ms)

    def matches(self, record: Stored) -> bool:
        identity = identity_of(record.value)
        if self.event_type is not None and identity.event_type != self.event_type:
            return False
        if self.user is None or record.key == self.user.encode():
            return True
        return record.key is None and self.user in (identity.user_id, identity.device_id)


class Decision(StrEnum):
    """What the replay does with a record that matches."""

    SEND = "send"
    NOT_ITS = "skipped: the destination does not take it"
    NOT_YET_DELIVERED = "left: it waits for its delivery"
    SENT_BEFORE = "left: sent before the interruption"


@dataclass(slots=True)
class Plan:
    """Counts of the records that match, by action; counted before anything is written."""

    destination: str
    matching: int = 0
    to_send: int = 0
    outside_dedupe_window: int = 0
    never_deduped: int = 0
    not_taken: int = 0
    not_yet_delivered: int = 0
    sent_before: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A topic of the destination: what it takes, and how far it is."""

    destination: Destination
    dedupe_days: int | None
    progress: Mapping[int, Progress]
    parked_progress: Mapping[int, Progress]


@dataclass(frozen=True, slots=True)
class Replay:
    parts: Mapping[str, Part]
    spans: Sequence[Span]
    chosen: Chosen
    name: str
    waiting: frozenset[str]
    sent_before: frozenset[str]

    @property
    def dedupe_days(self) -> int:
        """The longest of its topics; 0 where nothing is deduped."""
        return max((part.dedupe_days or 0 for part in self.parts.values()), default=0)

    def decide(self, record: Stored) -> Decision:
        part = self.parts[record.topic]
        progress = part.progress.get(record.partition)
        if record.origin in self.sent_before:
            return Decision.SENT_BEFORE
        if progress is None or not progress.is_settled(record.offset):
            return Decision.NOT_YET_DELIVERED
        if record.origin in self.waiting:
            return Decision.NOT_YET_DELIVERED
        if not isinstance(border.encode(part.destination, record), Encoded):
            return Decision.NOT_ITS
        return Decision.SEND

    async def plan(self, kafka: Archive, now_ms: int) -> Plan:
        plan = Plan(self.name)

        async def count(records: list[Stored]) -> None:
            for record in filter(self.chosen.matches, records):
                plan.matching += 1
                match self.decide(record):
                    case Decision.SEND:
                        plan.to_send += 1
                        days = self.parts[record.topic].dedupe_days
                        if days is None:
                            plan.never_deduped += 1
                        elif record.timestamp < now_ms - days * DAY_MS:
                            plan.outside_dedupe_window += 1
                    case Decision.NOT_ITS:
                        plan.not_taken += 1
                    case Decision.NOT_YET_DELIVERED:
                        plan.not_yet_delivered += 1
                    case Decision.SENT_BEFORE:
                        plan.sent_before += 1

        await kafka.search(self.spans, self.chosen.wanted, count)
        return plan

    async def send(self, kafka: Archive, run: Run, writer: Writer) -> None:
        async def write(records: list[Stored]) -> None:
            outgoing: list[Outgoing] = [
                run.parked(record, self.name)
                for record in filter(self.chosen.matches, records)
                if self.decide(record) is Decision.SEND
            ]
            await writer.write(outgoing)

        await kafka.search(self.spans, self.chosen.wanted, write)


async def prepare(
    config: Config,
    destination: ConfiguredDestination,
    kafka: Archive,
    chosen: Chosen,
    resumed: str | None,
) -> Replay:
    """Read the destination's progress; `resumed` names the interrupted run."""
    topics = config.kafka.topics
    kinds = [Kind.EVENT] if chosen.event_type is not None else list(Kind)
    parts: dict[str, Part] = {}
    for one in destinations_in(config, destination, Timed):
        if one.kind in kinds:
            topic = topics.of(one.kind)
            group_id = topics.group_id(one.name, one.kind)
            parts[topic] = Part(
                one,
                destination.dedupe_days(one.kind),
                await progress_in(kafka, group_id, topic, topics.parked),
                await progress_in(kafka, group_id, topics.parked, topics.parked),
            )
    await kafka.require_co_partitions(topics)
    renames = await renames_of(kafka, topics)
    waiting: set[str] = set()
    sent_before: set[str] = set()

    async def note(records: list[Stored]) -> None:
        for record in records:
            origin = record.header("origin")
            if origin is None or renames.of(record) != destination.name:
                continue
            if resumed is not None and record.header("replayed_at") == resumed:
                sent_before.add(origin)
            part = parts.get(origin.rsplit("/", 2)[0])
            progress = None if part is None else part.parked_progress.get(record.partition)
            if progress is None or not progress.is_settled(record.offset):
                waiting.add(origin)

    # What was parked under a former name is this destination's, too.
    needle = Wanted([name.encode() for name in renames.names(destination.name)])
    await kafka.search(await kafka.spans(topics.parked), needle, note)
    if resumed is not None and not sent_before:
        # A new run instead would send again all that the interrupted one has sent.
        raise UnknownRunError(f"Kafka has nothing of a run {resumed} to {destination.name}")
    spans = [span for topic in parts for span in await kafka.spans(topic, since_ms=chosen.from_ms)]
    return Replay(
        parts, spans, chosen, destination.name, frozenset(waiting), frozenset(sent_before)
    )
