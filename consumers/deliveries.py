"""All destinations of the process, as the configuration names them, and their workers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from consumers import plan_counts
from consumers.clock import Clock
from consumers.delivery.destination import Destination
from consumers.delivery.pace import Wait
from consumers.destinations import destinations_in, dropped_of, others_of
from consumers.destinations.shaping.functions import digest_of, renewed
from consumers.http.client import sender_to
from consumers.kafka.letters import Letters
from consumers.supervision import Supervised
from consumers.transform_times import Timed
from consumers.worker import Worker
from schemas.configuration.config import Config, ConfigError
from schemas.plans.checking import held
from schemas.suppressions import NOBODY, Suppressions
from schemas.vendors import vendor_of
from schemas.vendors.vendor import ConfiguredDestination

COMMIT_GRACE_SECONDS = 5.0  # For the commit after the drain; without it, records are sent again.
log = structlog.get_logger()


@dataclass(slots=True)
class Running:
    """One configured destination and its workers."""

    configured: ConfiguredDestination
    materials: object  # What its records are changed and checked by.
    workers: list[Supervised]
    tasks: list[asyncio.Task[None]]


class Deliveries:
    def __init__(
        self, letters: Letters, only: Collection[str], suppressed: Suppressions = NOBODY
    ) -> None:
        self._clock = Clock()  # One clock for all: deadlines are shared.
        self.letters = letters
        self._only = only
        self.suppressed = suppressed  # One for all.
        self._running: dict[str, Running] = {}

    @property
    def workers(self) -> list[Supervised]:
        return [worker for running in self._running.values() for worker in running.workers]

    def check(self, config: Config) -> None:
        """Raise `ConfigError` if `config` cannot be applied."""
        check(config, self._only)

    async def apply(self, config: Config, tasks: asyncio.TaskGroup) -> None:
        """Deliver to the destinations that it names; unchanged ones keep running."""
        named = wanted(config, self._only)
        gone = [
            running
            for name, running in self._running.items()
            if named.get(name) != running.configured
            or materials_of(running.configured, config) != running.materials
        ]
        await self._stop(gone, config)
        for name, configured in named.items():
            if name not in self._running:
                workers = supervised(configured, config, self.letters, self._clock, self.suppressed)
                running = [tasks.create_task(worker.run()) for worker in workers]
                materials = materials_of(configured, config)
                self._running[name] = Running(configured, materials, workers, running)

    async def stop(self, config: Config) -> None:
        """Drain, commit and end."""
        await self._stop(list(self._running.values()), config)

    async def _stop(self, leaving: Collection[Running], config: Config) -> None:
        for running in leaving:
            for worker in running.workers:
                worker.stop()
        ending = [task for running in leaving for task in running.tasks]
        if ending:
            grace = config.delivery.drain_timeout_seconds + COMMIT_GRACE_SECONDS
            _, late = await asyncio.wait(ending, timeout=grace)
            for task in late:
                task.cancel()
        for running in leaving:
            del self._running[running.configured.name]


def check(config: Config, only: Collection[str]) -> None:
    """Build every destination and its client; `ConfigError` if one cannot be built."""
    named = wanted(config, only)
    renewed(named.values())
    for configured in named.values():
        sender_to(configured)
        destinations_in(config, configured)


def materials_of(configured: ConfiguredDestination, config: Config) -> object:
    """Equal while its function, its plans and what others of its type want are the same."""
    others = [(one.sources, one.where) for one in others_of(configured, config.destinations)]
    return digest_of(configured), held(config.delivery), dropped_of(config, configured), others


def wanted(config: Config, only: Collection[str]) -> Mapping[str, ConfiguredDestination]:
    """The destinations by name; `ConfigError` for a name that is not configured."""
    known = {destination.name: destination for destination in config.destinations}
    for name in only:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"there is no destination {name}; configured are: {names}")
    return {name: one for name, one in known.items() if not only or name in only}


def supervised(
    configured: ConfiguredDestination,
    config: Config,
    letters: Letters,
    clock: Callable[[], float],
    suppressed: Suppressions,
) -> list[Supervised]:
    """One worker for each topic that the destination reads; each restarts by itself."""
    # What its topics share: the wait that a 429 asks of an API key.
    wait = Wait() if vendor_of(configured).one_wait_a_key else None

    @asynccontextmanager
    async def opened(part: Destination) -> AsyncIterator[Worker]:
        async with sender_to(configured) as http:
            yield Worker(part, config, http, letters, wait, clock, suppressed)

    return [
        Supervised(f"{part.name}/{part.kind}", part.name, partial(opened, part))
        for part in destinations_in(config, configured, Timed, plan_counts.count)
    ]
