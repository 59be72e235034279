"""History on its way to one destination alone: through the parked topic, as replays go.

Theory of operation: these records have no place in a topic of ours, and a letter names its origin.
So theirs is a place that no topic has: the last partition there could be, and an offset made of the
run and the row's number. What is unique in it stays unique in dead letters and their replays; and
it tells which rows a run has parked already.
"""

from dataclasses import dataclass

from ampgate.archive.archive import Archive
from ampgate.archive.batches import Wanted
from ampgate.backfill.rows import HistoryRecord
from ampgate.cli.moments import write_moment
from ampgate.resend.parking import Outgoing
from ampgate.trace.trace import partition_of
from schemas.letters import PARTITION_MAX, LetterHeaders, Origin
from schemas.records import Stored, TopicPartition
from schemas.topics import Topics

REASON = "backfill"
ROW_BITS = 32


@dataclass(frozen=True, slots=True)
class Backfill:
    """One run: `replayed_at` in its records identifies it. `source` is whose the records are."""

    topics: Topics
    partitions: int
    project: str
    destination: str
    source: str
    begun_ms: int

    @property
    def at(self) -> str:
        return write_moment(self.begun_ms)

    def partition(self, key: str) -> int:
        return partition_of(key, self.partitions)

    def parked(self, number: int, record: HistoryRecord) -> Outgoing:
        headers = LetterHeaders(
            destination=self.destination,
            reason=REASON,
            detail=f"history of {self.project}",
            origin=self._origin(number),
            attempts=0,
            first_failed_at=self.begun_ms / 1000,
            not_before=self.begun_ms / 1000,
        ).encoded([("source", self.source.encode())])
        headers.append(("replayed_at", self.at.encode()))
        partition = self.partition(record.key)
        key = record.key.encode()
        return Outgoing(self.topics.parked, partition, key, record.value, headers)

    async def written(self, kafka: Archive, first: int) -> set[int]:
        """The numbers of the rows that are parked already, from this one on."""
        found: set[int] = set()

        async def note(records: list[Stored]) -> None:
            for one in records:
                is_its = one.header("replayed_at") == self.at and (
                    one.header("destination") == self.destination
                )
                origin = Origin.parse(one.header("origin") or "")
                if is_its and origin is not None:
                    number = origin.offset & ((1 << ROW_BITS) - 1)
                    if number >= first:
                        found.add(number)

        spans = await kafka.spans(self.topics.parked, since_ms=self.begun_ms)
        for span in spans:
            await kafka.search([span], Wanted([self.at.encode()]), note)
        return found

    def _origin(self, number: int) -> Origin:
        place = TopicPartition(self.topics.events, PARTITION_MAX)
        return Origin(place, (self.begun_ms // 1000 << ROW_BITS) + number)
