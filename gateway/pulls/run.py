"""One run of a pull: page by page, what is new goes to Kafka, then it is remembered.

The order matters. A crash after the records and before the cursor reads one page again, and its
records get the same `insert_id`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from gateway.dialects.shapes import Rejection
from gateway.edge.rejections import dead_letter
from gateway.pulls.budget import MonthlyBudget
from gateway.pulls.fingerprints import Fingerprints
from gateway.pulls.journal import Journal, Standing
from gateway.pulls.making import Made, Maker, version_of_item
from gateway.pulls.pace import Pace
from gateway.pulls.pull import SUPPRESSION, Api, Item, Lift, Pull, Suppress
from gateway.pulls.standstill import Standstill
from gateway.pulls.suppressing import Suppressing
from schemas.cancellation import whole
from schemas.records import Appendable, Headers, NewRecord, RawRecord
from schemas.topics import Kind, Topics
from schemas.truncation import cut

LETTER_BYTES_MAX = 900_000  # Of one that its topic does not take whole; Kafka's default is 1 MB.
Counted = Callable[[str, str, int], None]  # Of a kind: produced, unchanged, skipped or dead.


class Store(Protocol):
    """Where records go."""

    async def append(self, topic: str, records: Sequence[NewRecord]) -> None:
        """Return once all are stored; else raise `NotStored`."""

    async def store_all(self, topic: str, records: Sequence[RawRecord]) -> None:
        """As `append`, of records with any bytes."""

    def fits(self, topic: str, record: Appendable) -> bool:
        """Whether the topic takes it, as far as is known."""


class Step(NamedTuple):
    """Where a run stands after a page; how much it read and produced."""

    standing: Standing
    objects: int
    records: int
    wait_seconds: float = 0.0


class Run:
    def __init__(
        self,
        name: str,
        partition: int,
        pull: Pull,
        api: Api,
        journal: Journal,
        fingerprints: Fingerprints,
        store: Store,
        topics: Topics,
        suppressing: Suppressing,
        budget: MonthlyBudget,
        pace: Pace,
        standstill: Standstill,
        counted: Counted,
    ) -> None:
        self._name = name
        self._partition = partition
        self._pull = pull
        self._api = api
        self._journal = journal
        self._fingerprints = fingerprints
        self._store = store
        self._topics = topics
        self._suppressing = suppressing
        self._budget = budget
        self._pace = pace
        self._standstill = standstill
        self._counted = counted
        self._headers: Headers = [("source", name.encode())]
        self._maker = Maker(
            name, self._headers, suppressing, lambda kind, one: store.fits(topics.of(kind), one)
        )

    async def step(self, standing: Standing) -> Step:
        """One page: produced, remembered, and noted. What it raises leaves it where it stood.

        `StoodStillError`: what is known here may be older than what Kafka has.
        """
        self._standstill.require_none()
        now = time.time()
        if standing.cursor is None:
            self._budget.require(standing, 1, now)
        page = await self._pull.page(self._api, standing.cursor)
        standing = self._budget.after(standing, page.spends, now)
        await self._look(page.items, standing)
        # A rebalance in the middle would have the next owner produce them again.
        records = await whole(self._produce(page.items, standing))
        following = page.cursor
        if following is None and page.again is not None and await self._misses_some(standing):
            following = page.again
        if following is not None:
            standing = replace(standing, cursor=following)
        else:
            if self._pull.sees_gone:
                records += await self._produce_gone(standing)
            standing = replace(standing, cursor=None, finished=time.time(), start=page.start)
        standing = replace(standing, asked=self._pace.lately(time.time()))
        self._standstill.require_none()
        await self._journal.note(self._name, self._partition, standing)
        return Step(standing, len(page.items), records, page.wait_seconds)

    async def _look(self, items: Sequence[Item], standing: Standing) -> None:
        if any(item.kind == SUPPRESSION for item in items):
            await self._suppressing.look_in(standing.run)

    def _is_others(self, item: Item) -> bool:
        named = item.record
        return isinstance(named, Suppress | Lift) and self._suppressing.is_others(named.name)

    async def _produce(self, items: Sequence[Item], standing: Standing) -> int:
        silent = [item for item in items if item.record is None or self._is_others(item)]
        read = [item for item in items if item.record is not None and not self._is_others(item)]
        made = await self._changed(read, standing)
        await self._append(made, standing)
        versions = {one.item.object_id: one.version for one in made}
        await self._journal.remember(self._name, self._partition, versions.items())
        seen = dict(versions)
        if self._pull.sees_gone:  # Also what did not change was seen by this run.
            same = [item for item in read if item.object_id not in versions]
            seen |= {item.object_id: version_of_item(item) for item in same}
        await asyncio.to_thread(self._fingerprints.keep, seen.items(), standing.run)
        self._count("skipped", [item.kind for item in silent])
        # As it was, or shown again later in this page.
        chosen = {id(one.item) for one in made}
        self._count("unchanged", [item.kind for item in read if id(item) not in chosen])
        return len(made)

    async def _misses_some(self, standing: Standing) -> bool:
        lots = self._fingerprints.unseen(standing.run)
        return await asyncio.to_thread(next, lots, None) is not None

    async def _produce_gone(self, standing: Standing) -> int:
        produced = 0
        lots = self._fingerprints.unseen(standing.run)
        has_looked = False
        while ids := await asyncio.to_thread(next, lots, None):
            gone = [item for object_id in ids if (item := self._pull.gone(object_id)) is not None]
            if not has_looked and any(item.kind == SUPPRESSION for item in gone):
                await self._suppressing.look()  # Others may have done so since the run began.
                has_looked = True
            gone = [item for item in gone if not self._is_others(item)]
            await whole(self._part_with(ids, gone, standing))
            produced += len(gone)
        return produced

    async def _part_with(
        self, ids: Sequence[str], gone: Sequence[Item], standing: Standing
    ) -> None:
        await self._append(
            [self._maker.made(item, version_of_item(item), standing) for item in gone], standing
        )
        forgotten = [(object_id, None) for object_id in ids]
        await self._journal.remember(self._name, self._partition, forgotten)
        await asyncio.to_thread(self._fingerprints.drop, ids)

    async def _changed(self, items: Sequence[Item], standing: Standing) -> list[Made]:
        """Of each object what it became, unless it is as it was; of an object twice, the last."""
        newest = {item.object_id: item for item in items if item.record is not None}
        objects = [(object_id, version_of_item(item)) for object_id, item in newest.items()]
        differing = await asyncio.to_thread(self._fingerprints.differing, objects)
        looked_at = zip(newest.values(), objects, differing, strict=True)
        return [
            self._maker.made(item, version, standing)
            for item, (_, version), differs in looked_at
            if differs
        ]

    async def _append(self, made: Sequence[Made], standing: Standing) -> None:
        self._standstill.require_none()
        now_ms = int(standing.began * 1000)
        letters = [
            dead_letter(Rejection(0, one.defect, one.item.original), self._headers, now_ms)
            for one in made
            if one.defect is not None
        ]
        if letters:
            await self._store.append(self._topics.dead_letters, list(map(self._fitting, letters)))
        for kind in Kind:
            records = [
                one.record
                for one in made
                if isinstance(one.record, NewRecord) and one.item.kind is kind
            ]
            if records:
                await self._store.append(self._topics.of(kind), records)
        suppressions = [one.record for one in made if isinstance(one.record, RawRecord)]
        if suppressions:
            await self._store.store_all(self._topics.suppressions, suppressions)
        self._count("dead", [one.item.kind for one in made if one.defect is not None])
        self._count("produced", [one.item.kind for one in made if one.record is not None])

    def _fitting(self, letter: NewRecord) -> NewRecord:
        if self._store.fits(self._topics.dead_letters, letter):
            return letter
        uncut = RawRecord(letter.key, letter.value, letter.headers)
        key, value, headers = cut(uncut, LETTER_BYTES_MAX)
        return NewRecord(key, value or b"", headers)

    def _count(self, outcome: str, kinds: Sequence[str]) -> None:
        for kind, count in Counter(kinds).items():
            self._counted(kind, outcome, count)
