"""All that the pages show of the running gateway, kept up to date in the background."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

import structlog
from pyreqwest.client import Client

from ampgate.console.figures import series
from ampgate.console.figures.exposition import Sample, samples
from ampgate.console.figures.history import History
from ampgate.console.figures.names import LABELS, LAG, WAITING
from ampgate.console.figures.processes import Heard, Place, hear, places_of
from ampgate.console.figures.stored import Stored, Watch
from ampgate.console.figures.totals import Totals
from schemas.configuration.config import Config
from schemas.http.client import client_builder
from schemas.topics import Kind

LOOK_SECONDS = 5.0
TIMEOUT_SECONDS = 4.0
log = structlog.get_logger()


@dataclass(slots=True)
class Figures:
    """`heard` are the last answers of all processes; `looked_at` is None before the first."""

    config: Config
    history: History = field(default_factory=History)
    totals: Totals = field(default_factory=Totals)
    heard: Sequence[Heard] = ()
    looked_at: float | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    places: Sequence[Place] = ()
    _watch: Watch = field(init=False)
    _before: tuple[float, Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        self.places = places_of(self.config)
        self._watch = Watch(self.config, self.unattended)

    @property
    def stored(self) -> Stored:
        return self._watch.stored

    def apply(self, config: Config) -> None:
        """Look at what this configuration names from now on."""
        self.config = config
        self.places = places_of(config)
        self._watch.config = config

    def attended(self) -> set[str]:
        """The destinations that a delivery reports: it has a gauge of what waits for each."""
        return {
            dict(labels)["destination"] for name, labels in self.totals.gauges if name == WAITING
        }

    def unattended(self) -> list[str]:
        """The others; none before the deliveries were asked."""
        if self.looked_at is None:
            return []
        known = self.attended()
        return [one.name for one in self.config.destinations if one.name not in known]

    async def run(self) -> None:
        """Until it is cancelled; nothing that a process answers ends it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run())
            builder = client_builder(timeout_seconds=TIMEOUT_SECONDS, proxy=None)
            async with builder.build() as client:
                while True:
                    began = time.monotonic()
                    try:
                        await self.look(client)
                    except Exception as error:  # noqa: BLE001  Whatever answers there.
                        log.error("console look failed, looking again", error=repr(error))
                    await asyncio.sleep(max(0.5, LOOK_SECONDS - (time.monotonic() - began)))

    async def look(self, client: Client) -> None:
        answers = await asyncio.gather(*(hear(client, place) for place in self.places))
        heard = [one for some in answers for one in some]
        self.heard, found = await asyncio.to_thread(readable, heard)
        self.totals.take(found)
        now = time.time()
        self.remember(now)
        self.looked_at = now
        async with self.changed:
            self.changed.notify_all()

    def remember(self, now: float) -> None:
        """One point of each series: rates of what has grown, and gauges as they are."""
        grown = series.counters(self.totals, self.stored.topics)
        values = series.gauges(self.totals)
        if self._before is not None:
            at, before = self._before
            values |= series.rates(before, grown, now - at)
        self._before = (now, grown)
        self.history.add(now, values)

    def lag_of(self, destination: str) -> list[Sample]:
        """Of each partition of its topics, read from the last answers."""
        label = f'destination="{destination}"'
        texts = [one.text for one in self.heard if one.text and one.place.what == "delivery"]
        return [one for text in texts for one in samples(text, {LAG}, label)]


def is_known(sample: Sample) -> bool:
    """Whether it says what it says in this version; a process of another one may differ."""
    needed, labels = LABELS[sample.name], dict(sample.labels)
    if not all(name in labels for name in needed) or not isfinite(sample.value):
        return False
    return "kind" not in needed or labels["kind"] in set(Kind)


def readable(heard: Sequence[Heard]) -> tuple[list[Heard], dict[str, Sequence[Sample]]]:
    """The samples of each process that shows metrics; the others, with why they do not."""
    told: list[Heard] = []
    found: dict[str, Sequence[Sample]] = {}
    for one in heard:
        if one.text is not None:
            try:
                found[one.address] = list(filter(is_known, samples(one.text, LABELS)))
            except Exception:  # noqa: BLE001  The parser raises what it likes.
                one = replace(one, text=None, trouble="it answers something that is no metrics")
        told.append(one)
    return told, found
