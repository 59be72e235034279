"""`ampgate reconcile`: what Kafka says was delivered, beside what Amplitude's Export has.

Theory of operation: a record is asked about by when Kafka got it. Amplitude shows an event in the
hour in which it was uploaded, which is later: seconds mostly, hours after a pause. So the hours
from a little before the range to one after it are downloaded first; if something is missing then,
the following ones as well, up to `late_ms` after the range. An event that Kafka got earlier may be
in these hours, too: what was sent since `late_ms` before the range is read, so that it is not taken
for foreign.

An hour is shown about two hours after its end. What was accepted in an hour that Amplitude has not
had the time to show, and of which it shows nothing, is `pending`: nobody can know yet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ampgate.amplitude_read.budget import digest_of
from ampgate.amplitude_read.client import ReadClient, account_of
from ampgate.amplitude_read.database import in_thread
from ampgate.amplitude_read.disk import told_when_full
from ampgate.amplitude_read.export import Exported, Exports
from ampgate.amplitude_read.hours import HOUR_MS, LAG_HOURS, Hours, hour_of, is_complete
from ampgate.archive.archive import Archive
from ampgate.archive.batches import Wanted
from ampgate.reconcile.comparison import Comparison, Outcome, comparison
from ampgate.reconcile.delivered import parts_of, spans_of, write_sent, write_traces
from ampgate.reconcile.missing import write_missing
from ampgate.reconcile.workspace import workspace
from schemas.configuration.config import Config
from schemas.vendors.readable import ReadableDestination

EARLY_MS = 300_000  # Clocks differ; an upload may seem to be earlier than its record.


@dataclass(frozen=True, slots=True)
class Asked:
    """Records that Kafka got from `from_ms` to before `to_ms`; what is asked at `now_ms`."""

    from_ms: int
    to_ms: int
    now_ms: int
    late_ms: int

    @property
    def since_ms(self) -> int:
        return max(0, self.from_ms - self.late_ms)

    @property
    def hours(self) -> Hours:
        return Hours(hour_of(max(0, self.from_ms - EARLY_MS)), hour_of(self.to_ms - 1) + 1)

    def hours_since(self, first_ms: int | None) -> Hours | None:
        """Of `hours` those from the first record on: what is older is not from here."""
        if first_ms is None:
            return None
        first = max(self.hours.first, hour_of(max(0, first_ms - EARLY_MS)))
        return Hours(min(first, self.hours.last), self.hours.last)

    @property
    def later_hours(self) -> Hours | None:
        first, last = self.hours.last + 1, hour_of(self.to_ms + self.late_ms)
        return Hours(first, last) if first <= last else None

    @property
    def shown_until_ms(self) -> int | None:
        """None: uploads of `late_ms` after the range are shown. Else up to when they are."""
        last = hour_of(self.to_ms + self.late_ms)
        shown = hour_of(self.now_ms) - LAG_HOURS
        return None if shown > last else shown * HOUR_MS


@dataclass(slots=True)
class Reports:
    """What is told on the way."""

    on_records: Callable[[int], None] = lambda _: None
    on_window: Callable[[Exported], None] = lambda _: None
    on_bytes: Callable[[int], None] = lambda _: None
    on_wait: Callable[[], None] = lambda: None  # Another one uses the same files.


@dataclass(slots=True)
class Reconciliation:
    """What was found; `complete` are the hours of which Amplitude has shown all."""

    outcomes: Sequence[Outcome]
    empty_hours: int = 0
    asked_from: int | None = None  # The hour of Kafka's first record, if that is in the range.
    missing_written: int | None = None
    complete: list[int] = field(default_factory=list)

    @property
    def missing(self) -> int:
        return sum(one.missing for one in self.outcomes)


async def reconcile(
    config: Config,
    destination: ReadableDestination,
    kafka: Archive,
    client: ReadClient,
    asked: Asked,
    kept_in: Path,
    missing_file: Path | None,
    reports: Reports,
) -> Reconciliation:
    project = digest_of(account_of(destination))
    async with workspace(kept_in, project, reports.on_wait) as (directory, hours):
        with told_when_full(kept_in), comparison(directory, asked.from_ms, asked.to_ms) as compared:
            await read_kafka(config, destination, kafka, asked, directory, compared, reports)
            exports = Exports(client, hours, asked.now_ms, reports.on_window, reports.on_bytes)
            hours_asked = asked.hours_since(compared.first_ms())
            complete, _ = await _read_hours(exports, hours_asked, asked, compared)
            await in_thread(compared.interrupt, compared.compare)
            if asked.later_hours is not None and compared.has_missing():
                later, rows = await _read_hours(exports, asked.later_hours, asked, compared)
                complete += later
                if rows:
                    await in_thread(compared.interrupt, compared.compare)
            found = Reconciliation(compared.outcomes(complete), complete=complete)
            if hours_asked is not None and hours_asked.first > asked.hours.first:
                found.asked_from = hours_asked.first
            found.empty_hours = compared.empty_hours(complete)
            if missing_file is not None:
                places = compared.missing_places(complete)
                topics = config.kafka.topics
                found.missing_written = await write_missing(kafka, topics, places, missing_file)
    return found


async def read_kafka(
    config: Config,
    destination: ReadableDestination,
    kafka: Archive,
    asked: Asked,
    directory: Path,
    compared: Comparison,
    reports: Reports,
) -> None:
    parts = await parts_of(config, destination, kafka)
    spans = await spans_of(parts, kafka, asked.since_ms)
    sent, traces = directory / "sent.ndjson", directory / "traces.ndjson"
    wanted = Wanted(since_ms=asked.since_ms, until_ms=asked.to_ms + HOUR_MS)
    with sent.open("wb", buffering=1 << 20) as file:
        await write_sent(kafka, parts, spans, wanted, file, reports.on_records)
    with traces.open("wb", buffering=1 << 20) as file:
        topics = config.kafka.topics
        await write_traces(kafka, topics, parts, destination.name, asked.since_ms, file)
    await in_thread(compared.interrupt, compared.read_sent, sent, traces)
    sent.unlink()
    traces.unlink()


async def _read_hours(
    exports: Exports, hours: Hours | None, asked: Asked, compared: Comparison
) -> tuple[list[int], int]:
    """Those that Amplitude has shown all of, and how many rows there were."""
    complete: list[int] = []
    rows = 0
    if hours is None:
        return complete, rows
    async for window in exports.windows(hours):
        await in_thread(compared.interrupt, compared.read_rows, window)
        rows += window.rows
        complete += [hour for hour in window.hours.all if is_complete(hour, asked.now_ms)]
    return complete, rows
