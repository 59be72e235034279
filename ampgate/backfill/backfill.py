"""`ampgate backfill`: Amplitude's Export, sorted by event time, to one destination alone.

The export is downloaded and sorted whole before anything is sent: an event may have been uploaded
days after it happened. Then rows go in order, no faster than the destination takes them. Whatever
is interrupted goes on: downloads after the last whole window, rows after the last that is parked.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ampgate.amplitude_read.database import in_thread
from ampgate.amplitude_read.export import Exports
from ampgate.amplitude_read.hours import Hours
from ampgate.archive.archive import Archive
from ampgate.backfill.history import History
from ampgate.backfill.pace import BACKLOG_MAX, DevicePace
from ampgate.backfill.parking import Backfill
from ampgate.backfill.rows import HistoryRecord, record_of
from ampgate.backfill.run_directory import RunDirectory
from ampgate.resend.parking import Outgoing
from ampgate.resend.writer import Writer
from ampgate.trace.commits import progress_in
from schemas.topics import Kind

POLL_SECONDS = 0.5


@dataclass(slots=True)
class Totals:
    rows: int = 0
    sent_before: int = 0
    unusable: int = 0
    refused: int = 0  # By Kafka.


async def prepare(exports: Exports, hours: Hours, found: History) -> None:
    """Download and sort, unless an earlier call has."""
    if found.is_read:
        return
    windows = [window async for window in exports.windows(hours)]
    await in_thread(found.interrupt, found.read, windows)
    await asyncio.to_thread(shutil.rmtree, exports.directory)


@dataclass(frozen=True, slots=True)
class Sending:
    """Rows to the parked topic, in order, at the destination's pace."""

    run: Backfill
    directory: RunDirectory
    kafka: Archive
    writer: Writer
    paces_devices: bool  # And tells Amplitude to leave user properties as they are.
    on_row: Callable[[int], None]
    on_wait: Callable[[int], None]

    async def __call__(self, found: History) -> Totals:
        first = self.directory.written + 1
        written = await self.run.written(self.kafka, first)
        totals, pace = Totals(rows=len(found), sent_before=first - 1), DevicePace()
        self.on_row(first - 1)
        for rows in found.rows(first):
            for start in range(0, len(rows), self.writer.flight_max):
                chunk = rows[start : start + self.writer.flight_max]
                records = self._records(chunk, written, totals)
                await self._until_room()
                await self._write(records, pace)
                self.directory.note_written(chunk[-1][0])
                self.on_row(len(chunk))
        totals.refused = self.writer.refused
        return totals

    def _records(
        self, rows: list[tuple[int, str]], written: Collection[int], totals: Totals
    ) -> list[tuple[int, HistoryRecord]]:
        found: list[tuple[int, HistoryRecord]] = []
        for number, line in rows:
            record = record_of(line.encode(), skip_sync=self.paces_devices)
            if record is None:
                totals.unusable += 1
            elif number in written:
                totals.sent_before += 1
            else:
                found.append((number, record))
        return found

    async def _write(self, records: list[tuple[int, HistoryRecord]], pace: DevicePace) -> None:
        ready: list[Outgoing] = []
        for number, record in records:
            while self.paces_devices and (
                seconds := pace.wait_seconds(record.device, time.monotonic())
            ):
                await self.writer.write(ready)
                ready = []
                await asyncio.sleep(seconds)
            ready.append(self.run.parked(number, record))
        await self.writer.write(ready)

    async def _until_room(self) -> None:
        """Until few enough of what is parked wait for their delivery."""
        while (waiting := await self._waiting()) > BACKLOG_MAX:
            self.on_wait(waiting)
            await asyncio.sleep(POLL_SECONDS)

    async def _waiting(self) -> int:
        topics = self.run.topics
        group_id = topics.group_id(self.run.destination, Kind.EVENT)
        progress = await progress_in(self.kafka, group_id, topics.parked, topics.parked)
        spans = await self.kafka.spans(topics.parked)
        committed = {number: one.committed for number, one in progress.items()}
        ends = [(span.end, committed.get(span.partition, 0), span.start) for span in spans]
        return sum(end - max(settled, start) for end, settled, start in ends)
