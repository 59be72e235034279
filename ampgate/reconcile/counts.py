"""`ampgate reconcile --by counts`: totals by event type and day, instead of each event.

Amplitude counts by the event's own time, and its days are the project's: they are compared with UTC
days, so a project in another time zone differs a little at each end. A total says how many are
missing, not which ones. One question an event type, at the cost of its days
(amplitude-read.md#cost).
"""

import asyncio
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import orjson

from ampgate.amplitude_read.client import ReadClient
from ampgate.amplitude_read.exchange import Asked as Question
from ampgate.archive.archive import Archive
from ampgate.errors import CommandError
from ampgate.reconcile.comparison import comparison
from ampgate.reconcile.reconcile import Asked, Reports, read_kafka
from schemas.configuration.config import Config
from schemas.vendors.readable import ReadableDestination

DAYS_MAX = 365  # Of one question (amplitude-read.md#segmentation).
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Counted:
    """One event type on one day, of the events' own time."""

    day: str
    event_type: str
    delivered: int
    counted: int

    @property
    def missing(self) -> int:
        return max(0, self.delivered - self.counted)

    @property
    def foreign(self) -> int:
        return max(0, self.counted - self.delivered)


class _Data(msgspec.Struct):
    series: list[list[float]]
    xValues: list[str]  # noqa: N815  Amplitude's name.


class _Segmentation(msgspec.Struct):
    data: _Data


async def count(
    config: Config,
    destination: ReadableDestination,
    kafka: Archive,
    client: ReadClient,
    asked: Asked,
    reports: Reports,
) -> list[Counted]:
    with tempfile.TemporaryDirectory(prefix="ampgate-counts-") as name:
        directory = Path(name)
        with comparison(directory, asked.from_ms, asked.to_ms) as compared:
            await read_kafka(config, destination, kafka, asked, directory, compared, reports)
            delivered = compared.by_day(_day_ms(asked.from_ms), _day_ms(asked.to_ms - 1) + DAY_MS)
    days = _days(delivered, asked)
    if len(days) > DAYS_MAX:
        raise CommandError(f"{len(days)} days are more than the {DAYS_MAX} that Amplitude counts")
    types = sorted({event_type for event_type, _ in delivered})
    try:
        async with asyncio.TaskGroup() as tasks:
            totals = {one: tasks.create_task(totals_of(client, one, days)) for one in types}
    except* CommandError as errors:  # The first is enough.
        raise errors.exceptions[0] from None
    return [
        Counted(day, one, delivered.get((one, day), 0), totals[one].result().get(day, 0))
        for day in days
        for one in types
        if (one, day) in delivered or totals[one].result().get(day, 0)
    ]


async def totals_of(client: ReadClient, event_type: str, days: Sequence[str]) -> Mapping[str, int]:
    """By day what Amplitude counted."""
    first, last = (one.replace("-", "") for one in (days[0], days[-1]))
    query = [
        ("e", orjson.dumps({"event_type": event_type}).decode()),
        *(("m", "totals"), ("i", "1"), ("start", first), ("end", last)),
    ]
    path = "/api/2/events/segmentation"
    answer = await client.ask(Question(path, query), cost=len(days))
    try:
        data = msgspec.json.decode(answer.body, type=_Segmentation).data
        (series,) = data.series or [[]]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise CommandError(f"{path}: the answer is not as documented: {error}") from error
    return {day: int(value) for day, value in zip(data.xValues, series, strict=False)}


def _days(delivered: Collection[tuple[str, str]], asked: Asked) -> list[str]:
    """From the first one with an event that was delivered to the last one of the range."""
    if not delivered:
        return []
    first = datetime.fromisoformat(min(day for _, day in delivered)).replace(tzinfo=UTC)
    last = datetime.fromtimestamp(_day_ms(asked.to_ms - 1) // 1000, UTC)
    return [f"{first + timedelta(days=n):%Y-%m-%d}" for n in range((last - first).days + 1)]


def _day_ms(milliseconds: int) -> int:
    return milliseconds // DAY_MS * DAY_MS
