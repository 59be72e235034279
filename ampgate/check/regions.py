"""Whether each record goes to exactly one of several regions of a type."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import TypeAlias

from schemas.configuration.config import Config
from schemas.vendors.vendor import ConfiguredDestination

Value: TypeAlias = str | int | float | bool
UNNAMED_SOURCE = "kafka"  # A record without the header counts as this one (contract.md#records).


@dataclass(frozen=True, slots=True)
class Concern:
    """A warning: it may be intended."""

    subject: str
    says: str
    advice: str


def concerns(config: Config) -> Iterator[Concern]:
    sources = [*(source.name for source in config.sources), UNNAMED_SOURCE]
    by_type = sorted(config.destinations, key=lambda one: one.type)
    for kind, found in groupby(by_type, key=lambda one: one.type):
        destinations = list(found)
        if len({one.data_region for one in destinations}) < 2:
            continue
        for one, two in combinations(destinations, 2):
            if one.data_region != two.data_region and (shared := _shared(one, two)) is not None:
                subject = f"destinations {one.name}, {two.name}"
                yield Concern(
                    subject, f"both get {shared}", "make their `where` exclude each other"
                )
        yield from _open(kind, destinations, sources)


def _shared(one: ConfiguredDestination, two: ConfiguredDestination) -> str | None:
    """A record that both take, in words; `None` if there is none."""
    if one.sources is not None and two.sources is not None:
        if not (sources := [name for name in one.sources if name in two.sources]):
            return None
    else:
        sources = list(one.sources or two.sources or ())
    conditions: list[str] = []
    for field in {**one.where, **two.where}:
        values = _both(one.where.get(field), two.where.get(field))
        if not values:
            return None
        conditions.append(f"{field} = {json.dumps(values[0], ensure_ascii=False)}")
    record = f"a record with {' and '.join(conditions)}" if conditions else "every record"
    return f"{record} of the source {sources[0]}" if sources else record


def _both(one: Sequence[Value] | None, two: Sequence[Value] | None) -> Sequence[Value]:
    """The values that both lists have; a destination without a list takes any."""
    if one is None or two is None:
        return one or two or ()
    # To Python `True == 1`; to a filter they are two values.
    return [
        v for v in one if any(v == w and isinstance(v, bool) == isinstance(w, bool) for w in two)
    ]


def _open(
    kind: str, destinations: Sequence[ConfiguredDestination], sources: Sequence[str]
) -> Iterator[Concern]:
    """Records that no region takes: other values than those listed, or those of some sources."""
    takers = {
        source: [one for one in destinations if one.sources is None or source in one.sources]
        for source in sources
    }
    if left := [source for source, found in takers.items() if not found]:
        says = f"no region gets the records of: {', '.join(left)}"
        yield Concern(f"{kind} regions", says, "name them in the `sources` of a region")
    limited = [found for found in takers.values() if found and all(one.where for one in found)]
    if limited:
        listed = _listed([one.where for found in limited for one in found])
        says = f"no region gets a record without one of: {listed}"
        yield Concern(f"{kind} regions", says, "expect them as skipped, reason no_region")


def _listed(wheres: Sequence[Mapping[str, Sequence[Value]]]) -> str:
    fields: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for where in wheres:
        for field, values in where.items():
            fields[field].update(dict.fromkeys(json.dumps(v, ensure_ascii=False) for v in values))
    return "; ".join(f"{field} = {', '.join(values)}" for field, values in fields.items())
