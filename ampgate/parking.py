"""How a record is sent again to one destination alone: through the parked topic. Pure.

Theory of operation: the other topics are shared by all destinations, so to append a record there
would deliver it to every one of them. A parked record names its destination, and when to wake.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ampgate.batches import Stored
from ampgate.moments import write_moment
from schemas.records import Headers

EDGE = "edge"  # The destination, and the origin, of what the edge refused.
REASON = "replay"
# What a delivery or the edge says of a failure; the rest (`source`, `traceparent`) is the record's.
ABOUT_FAILURE = frozenset(
    {
        *("destination", "reason", "detail", "status", "origin", "attempts", "first_failed_at"),
        *("not_before", "replayed", "replayed_at", "letter"),
    }
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way into a topic; without `partition`, its key decides."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Run:
    """One replay: all its records carry `replayed_at`, so they are known again."""

    parked_topic: str
    partitions: int
    now_ms: int

    @property
    def at(self) -> str:
        return write_moment(self.now_ms)

    def parked(self, record: Stored, destination: str) -> Outgoing:
        """A record of the log, for this destination once more."""
        return self._park(record, record.partition, self._about(destination, record.origin, 0))

    def revived(self, letter: Stored) -> Outgoing:
        """A dead letter, back to the destination where it died."""
        destination, origin = letter.header("destination"), letter.header("origin")
        assert destination is not None, "the plan takes only letters of known destinations"
        assert origin is not None, "as above"
        about = {
            **self._about(destination, origin, replayed_times(letter)),
            "first_failed_at": letter.header("first_failed_at") or self.at,
            "letter": letter_name(letter),
        }
        return self._park(letter, origin_partition(origin), about)

    def admitted(self, letter: Stored, topic: str) -> Outgoing:
        """What the edge had refused, into the topic that it was meant for."""
        about = {
            "replayed": str(replayed_times(letter) + 1),
            "replayed_at": self.at,
            "letter": letter_name(letter),
        }
        return Outgoing(topic, None, letter.key, letter.value, _headers(letter, about))

    def _about(self, destination: str, origin: str, replayed_before: int) -> Mapping[str, str]:
        return {
            "destination": destination,
            "reason": REASON,
            "origin": origin,
            "attempts": "0",
            "first_failed_at": self.at,
            "not_before": self.at,
            "replayed": str(replayed_before + 1),
            "replayed_at": self.at,
        }

    def _park(self, record: Stored, home: int, about: Mapping[str, str]) -> Outgoing:
        # Without a key it stays where it was, as its kin with keys do.
        partition = home % self.partitions if record.key is None else None
        return Outgoing(
            self.parked_topic, partition, record.key, record.value, _headers(record, about)
        )


def replayed_times(record: Stored) -> int:
    """How often it has been replayed before."""
    text = record.header("replayed") or ""
    return int(text) if text.isdecimal() else 0


def letter_name(letter: Stored) -> str:
    """The same for copies of a letter, another one each time that the record dies."""
    origin, destination = letter.header("origin"), letter.header("destination")
    if destination == EDGE:
        return letter.origin  # It never was anywhere else.
    return f"{origin} {destination} {replayed_times(letter)}"


def origin_partition(origin: str) -> int:
    """Of `topic/partition/offset`; 0 if it is not of that form."""
    parts = origin.rsplit("/", 2)
    return int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() else 0


def _headers(record: Stored, about: Mapping[str, str]) -> Headers:
    kept = [(name, value) for name, value in record.headers if name not in ABOUT_FAILURE]
    return kept + [(name, text.encode()) for name, text in about.items()]
