"""The names of the topics, and what kind of record each carries."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a record; also the value of the metric label `kind`."""

    EVENT = "event"
    USER_PROPERTIES = "user_properties"
    GROUP_PROPERTIES = "group_properties"


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics under one prefix, such as `ampgate.`."""

    prefix: str

    @property
    def events(self) -> str:
        return f"{self.prefix}events"

    @property
    def user_properties(self) -> str:
        return f"{self.prefix}user-properties"

    @property
    def group_properties(self) -> str:
        return f"{self.prefix}group-properties"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}dead-letters"

    @property
    def parked(self) -> str:
        return f"{self.prefix}parked"

    @property
    def probe(self) -> str:
        """Where the edge's readiness probe writes; nobody reads it."""
        return f"{self.prefix}probe"

    @property
    def cursors(self) -> str:
        """How far each pull is; compacted."""
        return f"{self.prefix}cursors"

    @property
    def fingerprints(self) -> str:
        """What the pulls have seen of each object; compacted."""
        return f"{self.prefix}fingerprints"

    @property
    def suppressions(self) -> str:
        """Who is suppressed; compacted."""
        return f"{self.prefix}suppressions"

    @property
    def compacted(self) -> tuple[str, ...]:
        """Of these the newest record of each key is kept for ever."""
        return (self.cursors, self.fingerprints, self.suppressions)

    @property
    def pull_group(self) -> str:
        """Its members share out the partitions of `cursors`, and so the pulls."""
        return f"{self.prefix}pull"

    @property
    def lasting(self) -> tuple[str, ...]:
        """All that carry records: each with as many partitions as the others."""
        return (*map(self.of, Kind), self.dead_letters, self.parked)

    def of(self, kind: Kind) -> str:
        match kind:
            case Kind.EVENT:
                return self.events
            case Kind.USER_PROPERTIES:
                return self.user_properties
            case Kind.GROUP_PROPERTIES:
                return self.group_properties

    def group_id(self, destination: str, kind: Kind) -> str:
        """The consumer group of a destination for one topic: `ampgate.<destination>.<topic>`."""
        return f"{self.prefix}{destination}.{self.of(kind).removeprefix(self.prefix)}"
