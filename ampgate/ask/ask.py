"""Asks every destination about a user, and sets beside it what Kafka says of them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

from ampgate.ask.answered import Answered, State
from ampgate.check.finding import Finding
from ampgate.errors import CommandError
from ampgate.trace.trace import ByUser, Search, trace
from ampgate.trace.whereabouts import Whereabouts
from schemas.configuration.config import Config, ConfigError
from schemas.vendors.vendor import ConfiguredDestination

Say = Callable[[str], None]
Ask = Callable[[ConfiguredDestination, str, Path, Say], Awaitable[Sequence[Answered]]]
Check = Callable[[ConfiguredDestination, Path], Awaitable[Sequence[Finding]]]


async def ask(
    config: Config,
    destinations: Sequence[ConfiguredDestination],
    user: str,
    limit: int,
    kept_in: Path,
    say: Say,
) -> list[Answered]:
    """In the order of the configuration; of each first what `trace` says of the newest records."""
    tracing = asyncio.create_task(_traced(config, user, limit))
    try:
        answers = await asyncio.gather(*(_ask(one, user, kept_in, say) for one in destinations))
        traced = await tracing
    finally:
        tracing.cancel()
    return [
        one
        for destination, answered in zip(destinations, answers, strict=True)
        for one in (_of_trace(destination.name, traced), *answered)
    ]


async def _traced(config: Config, user: str, limit: int) -> Sequence[Whereabouts] | str:
    """Why not, if Kafka cannot be read: what destinations know is told all the same."""
    try:
        return await trace(config, Search(ByUser(user), limit=limit))
    except (CommandError, ConfigError) as error:
        return str(error)


async def check_reading(destination: ConfiguredDestination, kept_in: Path) -> Sequence[Finding]:
    """Whether the keys of its read side are good, where there are any."""
    if (place := _place(destination)) is None:
        return []
    check: Check = resolve_name(f"{place}:check")
    return await check(destination, kept_in)


async def _ask(
    destination: ConfiguredDestination, user: str, kept_in: Path, say: Say
) -> Sequence[Answered]:
    if (place := _place(destination)) is None:
        says = f"nothing is known of how to ask {destination.type}"
        return [Answered(destination.name, "read", State.NOT_ASKED, says)]
    asks: Ask = resolve_name(f"{place}:ask")
    return await asks(destination, user, kept_in, say)


def _place(destination: ConfiguredDestination) -> str | None:
    """Which file knows its read side: that of its type's name, if there is one."""
    name = f"ampgate.ask.{destination.type.replace('-', '_')}"
    return name if find_spec(name) is not None else None


def _of_trace(name: str, traced: Sequence[Whereabouts] | str) -> Answered:
    if isinstance(traced, str):
        return Answered(name, "trace", State.FAILED, traced)
    its = [one for one in traced if one.destination == name]
    if not its:
        return Answered(name, "trace", State.UNKNOWN, "Kafka has no record of them")
    states = Counter(one.state.value for one in its)
    newest = max(its, key=lambda one: one.time)
    what = newest.event_type or "a property update"
    says = ", ".join(f"{count} {state}" for state, count in states.items())
    return Answered(
        *(name, "trace", State.KNOWN, f"{says}; the newest: {what} at {newest.time}"),
        {"states": dict(states), "newest": {"insert_id": newest.insert_id, "time": newest.time}},
    )
