"""What Kafka, the destinations and the counters say in the end."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from ampgate.archive.archive import Archive
from ampgate.archive.batches import Wanted
from ampgate.lab.chaos.asking import ask, scrape
from ampgate.lab.chaos.fleet import DESTINATIONS, Fleet, Member
from ampgate.lab.chaos.growth import Growth, written_late
from ampgate.lab.chaos.odd_records import MARK
from ampgate.lab.chaos.reported import lost_in
from ampgate.lab.chaos.verdict import Counted, DeadLetter, Evidence
from schemas.configuration.config import Kafka
from schemas.records import Stored
from schemas.topics import Kind

IDS = {"amplitude": "insert_id", "aampe": "event_id"}


class Received(msgspec.Struct):
    insert_id: str = ""
    event_id: str | int = ""

    def id_of(self, kind: str) -> str:
        return str(getattr(self, IDS[kind]))


_received = msgspec.json.Decoder(Received)
SETTLED = ("delivered", "dead", "skipped")
METRICS = {  # And what became of the records that they count, where no label says it.
    "ampgate_delivery_records_total": "",
    "ampgate_delivery_waiting_records": "waiting",
    "ampgate_delivery_lost_records_total": "lost",
}


@dataclass(frozen=True, slots=True)
class Witness:
    """`deleted` are records that Kafka has no more; `growths` its topics' own."""

    kafka: Kafka
    stored: Archive
    fleet: Fleet
    deleted: Sequence[Stored]
    growths: Sequence[Growth]

    async def arrived(self) -> int:
        """How many different events the destination has that has the fewest."""
        return min([int((await self._stats(kind))["distinct_insert_ids"]) for kind in IDS])

    async def unsettled(self) -> dict[str, int]:
        """By consumer group: records that are stored and not committed."""
        topic, found = self.kafka.topics.events, {}
        spans = await self.stored.spans(topic)
        for destination in DESTINATIONS:
            group = self.kafka.topics.group_id(destination, Kind.EVENT)
            committed = await self.stored.committed(group, topic)
            settled = sum(place.offset for place in committed.values())
            found[group] = sum(span.end for span in spans) - settled
        return found

    async def has_arrived(self, acknowledged: Collection[str]) -> bool:
        """Whether each destination has every event that it does not say it could not read."""
        evidence = await self.evidence(acknowledged, [], None)
        arrived = zip(DESTINATIONS, (evidence.amplitude, evidence.aampe), strict=True)
        return all(
            set(acknowledged) <= evidence.gone(destination).union(events)
            for destination, events in arrived
        )

    async def records(self) -> int:
        """How many were ever stored."""
        return sum(span.end for span in await self.stored.spans(self.kafka.topics.events))

    async def counted(self, edge: Member, delivery: Member, stored: int, deleted: int) -> Counted:
        """What the counters say of so many records; nobody else served them."""
        accepted = sum(
            sample.value
            for sample in await scrape(edge.url)
            if sample.name == "ampgate_edge_records_total"
            and sample.labels["outcome"] == "accepted"
        )
        settled: dict[str, dict[str, int]] = {name: {} for name in DESTINATIONS}
        for sample in await scrape(delivery.url):
            if sample.name not in METRICS:
                continue
            became = METRICS[sample.name] or sample.labels["outcome"]
            if became in SETTLED or METRICS[sample.name]:
                counts = settled[sample.labels["destination"]]
                counts[became] = counts.get(became, 0) + int(sample.value)
        return Counted(int(accepted), stored, deleted, settled)

    async def evidence(
        self, acknowledged: Collection[str], refused: Sequence[str], counted: Counted | None
    ) -> Evidence:
        topics = self.kafka.topics
        kept = await self.stored.find(await self.stored.spans(topics.events), Wanted())
        events = [*self.deleted, *kept]
        good = [record for record in events if record.header(MARK) is None]
        dead = await self.stored.find(await self.stored.spans(topics.dead_letters), Wanted())
        return Evidence(
            acknowledged=acknowledged,
            refused=refused,
            stored=_origins(good),
            deleted={record.origin for record in self.deleted},
            lost=lost_in(self.fleet.logs("delivery")),
            late=set(_origins(written_late(good, self.growths))),
            amplitude=await self._received("amplitude"),
            aampe=await self._received("aampe"),
            unusable={
                record.origin: words
                for record in events
                if (words := record.header(MARK)) is not None
            },
            dead_letters=[
                DeadLetter(
                    *(one.header(name) or "" for name in ("origin", "destination", "reason"))
                )
                for one in dead
            ],
            unsettled=await self.unsettled(),
            violations=[
                str(one) for kind in IDS for one in (await self._stats(kind))["violations"]
            ],
            troubles=self.fleet.troubles,
            counted=counted,
        )

    async def _received(self, kind: str) -> list[str]:
        _, body = await ask(f"{self.fleet.simulators[kind].url}/_received")
        # Only the id is read: the rest may be what no destination should have got.
        return [_received.decode(line).id_of(kind) for line in body.splitlines()]

    async def _stats(self, kind: str) -> Mapping[str, Any]:
        _, body = await ask(f"{self.fleet.simulators[kind].url}/_stats")
        stats: dict[str, Any] = orjson.loads(body)
        return stats


def _origins(records: Iterable[Stored]) -> dict[str, list[str]]:
    """By insert_id."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        found[orjson.loads(record.value or b"{}")["insert_id"]].append(record.origin)
    return dict(found)
