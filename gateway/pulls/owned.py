"""The pulls of one process: those whose partition of `ampgate.cursors` it was given."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

import structlog
from msgspec.structs import replace

from gateway.pulls import metrics
from gateway.pulls.budget import MonthlyBudget
from gateway.pulls.client import Client, HttpExchange
from gateway.pulls.fingerprints import Fingerprints
from gateway.pulls.journal import Journal, Standing
from gateway.pulls.pace import Pace
from gateway.pulls.pull import Pull
from gateway.pulls.run import Run, Store
from gateway.pulls.standstill import watched
from gateway.pulls.suppressing import Suppressing
from gateway.pulls.webhooks import EventsTopic
from schemas.configuration.config import Config
from schemas.vendors import SYSTEMS
from schemas.vendors.pull import ConfiguredPull

UNNOTED_MAX = 10  # Requests of a page that the former owner did not come to the end of, about.
NO_RUN = -1
RESTORED_RUN = 0  # No run has this number: what is restored was seen by none of this process.
log = structlog.get_logger()


@asynccontextmanager
async def opened(
    config: Config,
    name: str,
    partition: int,
    journal: Journal,
    store: Store,
    renewed: Callable[[str], ConfiguredPull],
) -> AsyncIterator[tuple[Run, Standing]]:
    """A pull as Kafka remembers it, ready to go on."""
    configured = next(one for one in config.pulls if one.name == name)
    system = SYSTEMS[configured.type]
    async with AsyncExitStack() as stack:
        standstill = await stack.enter_async_context(watched())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ampgate-pull-")))
        webhooks = EventsTopic(config.kafka)
        pull: Pull = resolve_name(system.pull)(configured, directory, webhooks)
        standing = await journal.standing(name, partition) or Standing()
        if standing.finished is None and pull.sees_gone:
            standing = standing.begun_anew(standing.run, standing.began)  # What it saw is unknown.
        fingerprints = Fingerprints(directory / "objects.sqlite")
        stack.callback(fingerprints.close)
        await journal.recall(name, partition, partial(_restore, fingerprints))
        if standing.type not in ("", configured.type):
            why = f"{name} was a pull of type {standing.type}"
            log.warning("cursor not known any more, starting over", pull=name, error=why)
            await _forget(fingerprints, journal, name, partition)
            standing = Standing(standing.run + 1, began=time.time())
        standing = replace(standing, type=configured.type)
        pace = _pace(configured, config.pulls, standing)
        exchange = await stack.enter_async_context(HttpExchange(configured.url))
        client = Client(
            exchange,
            lambda: renewed(name).login(),
            pace,
            lambda status: metrics.REQUESTS.labels(name, status).inc(),
        )
        counted = partial(_count, name)
        yield (
            Run(
                *(name, partition, pull, client, journal, fingerprints, store),
                config.kafka.topics,
                Suppressing(journal.suppressions, name),
                MonthlyBudget(monthly_share_of(configured, config.pulls)),
                pace,
                standstill,
                counted,
            ),
            standing,
        )


def _pace(configured: ConfiguredPull, pulls: Sequence[ConfiguredPull], standing: Standing) -> Pace:
    """As the former owner left it."""
    pace = Pace(*share_of(configured, pulls))
    pace.remember(standing.asked, time.time())
    if standing.run and standing.finished is None:
        pace.assume(UNNOTED_MAX)
    return pace


def share_of(configured: ConfiguredPull, pulls: Sequence[ConfiguredPull]) -> tuple[int, float]:
    """The requests in so many seconds that are this pull's.

    Pulls of one account divide what its API allows: each may run in another process.
    """
    system = SYSTEMS[configured.type]
    sharers = sum(one.account == configured.account for one in pulls)
    if system.requests >= sharers:
        return system.requests // sharers, system.seconds
    return 1, system.seconds * sharers


def monthly_share_of(configured: ConfiguredPull, pulls: Sequence[ConfiguredPull]) -> int | None:
    """As `share_of`: what this pull may use in a month; None: as much as it likes."""
    a_month = SYSTEMS[configured.type].a_month
    sharers = sum(one.account == configured.account for one in pulls)
    return None if a_month is None else a_month // sharers


async def _forget(fingerprints: Fingerprints, journal: Journal, name: str, partition: int) -> None:
    """All objects: another system's are none that have gone from this one."""
    lots = fingerprints.unseen(NO_RUN)
    while ids := await asyncio.to_thread(next, lots, None):
        await journal.remember(name, partition, [(object_id, None) for object_id in ids])
        await asyncio.to_thread(fingerprints.drop, ids)


def _restore(fingerprints: Fingerprints, objects: Sequence[tuple[str, bytes | None]]) -> None:
    newest = dict(objects)
    fingerprints.drop([object_id for object_id, version in newest.items() if version is None])
    kept = [(object_id, version) for object_id, version in newest.items() if version is not None]
    fingerprints.keep(kept, RESTORED_RUN)


def _count(pull: str, kind: str, outcome: str, count: int) -> None:
    metrics.RECORDS.labels(pull, str(kind), outcome).inc(count)
