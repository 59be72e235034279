"""The replay of dead letters: which are sent again, where to, and why others are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ampgate.archive.archive import Archive, Span
from ampgate.resend.dead_letters import Filter, replayed_letters
from ampgate.resend.parking import (
    EDGE,
    Outgoing,
    Run,
    admitted_as,
    letter_name,
    replayed_times,
)
from ampgate.resend.renames import renames_of
from ampgate.resend.writer import Writer
from schemas.configuration.config import Config
from schemas.letters import TRUNCATED, LetterHeaders
from schemas.plans.checking import held
from schemas.plans.plan import Plan as TrackingPlan
from schemas.records import Stored
from schemas.topics import Kind

REPLAYS_MAX = 3


class Decision(StrEnum):
    """What a replay does with a letter."""

    SEND = "to be sent"
    REPLAYED = "replayed already"
    COPY = "a copy of another letter"
    LOOPING = "died again too often: --force sends it all the same"
    UNKNOWN = "its destination is not configured: nobody would deliver it"
    REFUSED = "the edge would refuse it again"
    TRUNCATED = (
        "cut to fit its topic, so it is not whole: `ampgate replay` sends the record of its origin"
    )


UNSENDABLE = frozenset({Decision.REFUSED, Decision.UNKNOWN, Decision.TRUNCATED})


@dataclass(slots=True)
class Plan:
    """What a replay would do: counts of letters, by destination or by the reason to skip them."""

    to_send: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.to_send.values())

    @property
    def failed(self) -> bool:
        """Whether none of the selected letters can be sent."""
        return not self.total and bool(UNSENDABLE & set(self.left))


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of dead letters, planned from what Kafka has at that moment."""

    config: Config
    chosen: Filter
    spans: Sequence[Span]
    replayed: frozenset[str]
    force: bool
    plans: Mapping[str, TrackingPlan] = field(default_factory=dict)  # Those that block, by source.

    def decide(self, letter: Stored, seen: set[str]) -> Decision:
        """Whether to send a letter; `seen` are the names of the letters before it."""
        destination, name = self.chosen.renames.of(letter), letter_name(letter)
        if name in self.replayed:
            return Decision.REPLAYED
        if name in seen:
            return Decision.COPY
        seen.add(name)
        if letter.header(TRUNCATED) is not None:
            return Decision.TRUNCATED
        if replayed_times(letter) >= REPLAYS_MAX and not self.force:
            return Decision.LOOPING
        if destination == EDGE:
            kind = admitted_as(letter.value)
            is_refused = kind is None or self._violates_plan(letter, kind)
            return Decision.REFUSED if is_refused else Decision.SEND
        known = {one.name for one in self.config.destinations}
        origin = LetterHeaders.decoded(letter.headers).origin
        return Decision.UNKNOWN if destination not in known or origin is None else Decision.SEND

    def _violates_plan(self, letter: Stored, kind: Kind) -> bool:
        """Whether the plan of its source, as it is now, blocks it."""
        plan = self.plans.get(letter.header("source") or "")
        return plan is not None and plan.violation(kind, letter.value or b"") is not None

    def outgoing(self, letter: Stored, run: Run) -> Outgoing:
        """What is written for it."""
        kind = admitted_as(letter.value)
        if letter.header("destination") == EDGE and kind is not None:
            return run.admitted(letter, self.config.kafka.topics.of(kind))
        return run.revived(letter, self.chosen.renames.of(letter))

    async def plan(self, kafka: Archive) -> Plan:
        plan, seen = Plan(), set[str]()

        async def count(letters: list[Stored]) -> None:
            for letter in filter(self.chosen.matches, letters):
                match self.decide(letter, seen):
                    case Decision.SEND:
                        destination = self.chosen.renames.of(letter)
                        plan.to_send[destination] = plan.to_send.get(destination, 0) + 1
                    case decision:
                        plan.left[decision] = plan.left.get(decision, 0) + 1

        await kafka.search(self.spans, self.chosen.wanted, count)
        return plan

    async def send(self, kafka: Archive, run: Run, writer: Writer) -> None:
        seen = set[str]()

        async def write(letters: list[Stored]) -> None:
            await writer.write(
                [
                    self.outgoing(letter, run)
                    for letter in filter(self.chosen.matches, letters)
                    if self.decide(letter, seen) is Decision.SEND
                ]
            )

        await kafka.search(self.spans, self.chosen.wanted, write)


async def prepare(config: Config, kafka: Archive, chosen: Filter, *, force: bool) -> Replay:
    topics = config.kafka.topics
    await kafka.require_co_partitions(topics)
    spans = await kafka.spans(topics.dead_letters, since_ms=chosen.since_ms)
    chosen = replace(chosen, renames=await renames_of(kafka, topics))
    replayed = await replayed_letters(kafka, topics, spans, chosen)
    found = {source.name: held(source) for source in config.sources}
    plans = {name: one.plan for name, one in found.items() if one is not None and one.blocks}
    return Replay(config, chosen, spans, frozenset(replayed), force, plans)
