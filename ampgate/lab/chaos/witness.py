"""What Kafka, the destinations and the counters say in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from ampgate.archive.archive import Archive
from ampgate.archive.batches import Wanted
from ampgate.lab.chaos.fleet import DESTINATIONS, Fleet, Member, ask, scrape
from ampgate.lab.chaos.odd_records import MARK
from ampgate.lab.chaos.verdict import Counted, DeadLetter, Evidence
from schemas.configuration.config import Kafka
from schemas.topics import Kind

IDS = {"amplitude": "insert_id", "aampe": "event_id"}


class Received(msgspec.Struct):
    insert_id: str = ""
    event_id: str | int = ""

    def id_of(self, kind: str) -> str:
        return str(getattr(self, IDS[kind]))


_received = msgspec.json.Decoder(Received)
SETTLED = ("delivered", "dead", "skipped")


@dataclass(frozen=True, slots=True)
class Witness:
    kafka: Kafka
    stored: Archive
    fleet: Fleet

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

    async def records(self) -> int:
        spans = await self.stored.spans(self.kafka.topics.events)
        return sum(span.end - span.start for span in spans)

    async def counted(self, edge: Member, delivery: Member, stored: int) -> Counted:
        """What the counters say of so many records; nobody else served them."""
        accepted = sum(
            sample.value
            for sample in await scrape(edge.url)
            if sample.name == "ampgate_edge_records_total"
            and sample.labels["outcome"] == "accepted"
        )
        settled: dict[str, dict[str, int]] = {name: {} for name in DESTINATIONS}
        for sample in await scrape(delivery.url):
            match sample.name:
                case "ampgate_delivery_records_total":
                    state = sample.labels["outcome"]
                case "ampgate_delivery_waiting_records":
                    state = "waiting"
                case _:
                    continue
            if state in SETTLED or state == "waiting":
                counts = settled[sample.labels["destination"]]
                counts[state] = counts.get(state, 0) + int(sample.value)
        return Counted(int(accepted), stored, settled)

    async def evidence(
        self, acknowledged: Sequence[str], refused: Sequence[str], counted: Counted | None
    ) -> Evidence:
        topics = self.kafka.topics
        events = await self.stored.find(await self.stored.spans(topics.events), Wanted())
        dead = await self.stored.find(await self.stored.spans(topics.dead_letters), Wanted())
        return Evidence(
            acknowledged=acknowledged,
            refused=refused,
            stored=[
                orjson.loads(record.value or b"{}")["insert_id"]
                for record in events
                if record.header(MARK) is None
            ],
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
