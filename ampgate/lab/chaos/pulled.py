"""What was pulled meanwhile: every profile that Amperity has, from whatever was killed."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ampgate.archive.archive import Archive
from ampgate.archive.batches import Wanted
from ampgate.check.finding import Finding
from ampgate.lab.chaos.asking import ask
from ampgate.lab.chaos.configuration import PULL, PULL_TOPIC_PREFIX
from ampgate.lab.chaos.fleet import Fleet
from ampgate.lab.chaos.verdict import judge_pulled
from schemas.records import Stored
from schemas.topics import Topics

PROFILES = 20_000
TOPICS = Topics(PULL_TOPIC_PREFIX)


@dataclass(frozen=True, slots=True)
class Pulled:
    stored: Archive
    fleet: Fleet

    async def is_read(self) -> bool:
        """Whether a whole run has ended."""
        noted = await self._records(TOPICS.cursors)
        return any(
            one.key == PULL.encode() and "finished" in orjson.loads(one.value or b"{}")
            for one in noted
        )

    async def findings(self) -> Sequence[Finding]:
        records = await self._records(TOPICS.user_properties)
        arrived = [str(orjson.loads(one.value or b"{}")["user_id"]) for one in records]
        _, stats = await ask(f"{self.fleet.simulators['amperity'].url}/_stats")
        violations = [str(one) for one in orjson.loads(stats)["violations"]]
        profiles = {f"user{number}@shop.example" for number in range(PROFILES)}
        return list(judge_pulled(profiles, arrived, violations))

    async def _records(self, topic: str) -> Sequence[Stored]:
        return await self.stored.find(await self.stored.spans(topic), Wanted())
