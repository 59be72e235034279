"""Which records a destination wants: by source, and by `where`."""

from collections.abc import Mapping, Sequence

import orjson

from consumers.delivery.destination import Destination, Encoded, Limits, Request, Response
from consumers.delivery.outcomes import Reject, Skip, Verdict
from schemas.config import DestinationBase
from schemas.records import Record, source_of


class Filtered:
    """A destination that gets only what its `sources` and `where` let through."""

    def __init__(self, destination: Destination, config: DestinationBase) -> None:
        self._destination = destination
        self._sources = None if config.sources is None else frozenset(config.sources)
        self._where = config.where
        self.name = destination.name
        self.kind = destination.kind
        self.limits: Limits = destination.limits
        self.merge = destination.merge

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        encoded = self._destination.encode(record)
        if not isinstance(encoded, Encoded):
            return encoded
        if self._sources is not None and source_of(record) not in self._sources:
            return Skip("other_source")
        if self._where and not matches(orjson.loads(record.value or b"{}"), self._where):
            return Skip("other_region")
        return encoded

    def request(self, batch: Sequence[Encoded]) -> Request:
        return self._destination.request(batch)

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        return self._destination.verdict(response, batch)


def matches(
    value: Mapping[str, object], where: Mapping[str, tuple[str | int | float | bool, ...]]
) -> bool:
    """Whether all conditions hold; a field is top-level, `event_properties.x` or the like."""
    return all(_field(value, path) in wanted for path, wanted in where.items())


def _field(value: Mapping[str, object], path: str) -> object:
    parent, dot, name = path.partition(".")
    if not dot:
        return value.get(path)
    properties = value.get(parent)
    return properties.get(name) if isinstance(properties, dict) else None
