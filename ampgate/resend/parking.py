"""Sends a record again to one destination only: through the parked topic. Pure.

Theory of operation: the other topics are shared by all destinations, so to append a record there
would deliver it to every one of them. A parked record has its destination, and the time when it is
due.
"""

from dataclasses import dataclass, replace

import msgspec
from msgspec import Raw, Struct

from ampgate.cli.moments import write_moment
from schemas.events import ABSENT
from schemas.keys import READERS, key_in
from schemas.letters import LetterHeaders, Origin, without_letter
from schemas.records import Headers, RawRecord, Stored, TopicPartition
from schemas.strictness import Defect
from schemas.topics import Kind
from schemas.truncation import as_reference

EDGE = "edge"  # Destination and origin in letters of the edge.
REASON = "replay"
OURS = frozenset({"replayed", "replayed_at", "letter"})


class _Members(Struct):
    event_type: Raw = ABSENT
    event_properties: Raw = ABSENT
    user_properties: Raw = ABSENT
    group_properties: Raw = ABSENT
    groups: Raw = ABSENT


_members = msgspec.json.Decoder(_Members)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way into a topic; without `partition`, its key decides."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


def named(record: Outgoing) -> str:
    """Where it comes from, for people."""
    said = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    return said.get("origin") or said.get("letter") or record.topic


@dataclass(frozen=True, slots=True)
class Run:
    """One replay: `replayed_at` in its records identifies them."""

    parked_topic: str
    now_ms: int

    @property
    def at(self) -> str:
        return write_moment(self.now_ms)

    def parked(self, record: Stored, destination: str) -> Outgoing:
        """A record of the log, for this destination again."""
        origin = Origin(TopicPartition(record.topic, record.partition), record.offset)
        return self._park(record, destination, origin, self.now_ms / 1000, record.timestamp / 1000)

    def revived(self, letter: Stored, destination: str) -> Outgoing:
        """A dead letter, back to the destination where it died."""
        said = LetterHeaders.decoded(letter.headers)
        assert said.origin is not None, "the plan takes only letters that name their origin"
        return self._park(
            letter,
            destination,
            said.origin,
            said.first_failed_at,
            said.accepted_at,
            letter=letter_name(letter),
        )

    def admitted(self, letter: Stored, topic: str) -> Outgoing:
        """A record that the edge refused, for its own topic."""
        headers = self._with_ours(letter, without_letter(letter.headers), letter_name(letter))
        return Outgoing(topic, None, letter.key, letter.value, headers)

    def _park(
        self,
        record: Stored,
        destination: str,
        origin: Origin,
        first_failed_at: float,
        accepted_at: float | None,
        letter: str | None = None,
    ) -> Outgoing:
        """In the partition where its destination looks for it: that of its origin."""
        headers = LetterHeaders(
            destination=destination,
            reason=REASON,
            detail="sent again by an operator",
            origin=origin,
            attempts=0,
            first_failed_at=first_failed_at,
            accepted_at=accepted_at,
            not_before=self.now_ms / 1000,
        ).encoded(record.headers)
        partition = origin.place.partition
        headers = self._with_ours(record, headers, letter)
        return Outgoing(self.parked_topic, partition, record.key, record.value, headers)

    def _with_ours(
        self, record: Stored, headers: Headers, letter: str | None
    ) -> list[tuple[str, bytes | None]]:
        ours = {"replayed": str(replayed_times(record) + 1), "replayed_at": self.at}
        if letter is not None:
            ours["letter"] = letter
        kept = [(name, value) for name, value in headers if name not in OURS]
        return [*kept, *((name, text.encode()) for name, text in ours.items())]


def has_origin(record: Outgoing, partition: int) -> bool:
    """Whether a delivery finds its bytes: it reads them in the same partition of its topic."""
    said = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    origin = Origin.parse(said.get("origin", ""))
    return origin is not None and origin.place.partition == partition


def as_parked_reference(record: Outgoing) -> Outgoing:
    """In place of one that is too large to be parked; its key, or that which is filled in."""
    form = as_reference(RawRecord(record.key, record.value, record.headers), also=OURS)
    key = form.key if form.key is not None else _key_of(record.value)
    return replace(record, key=key, value=None, headers=form.headers)


def _key_of(value: bytes | None) -> bytes | None:
    kind = _readable_as(value)
    return None if kind is None else key_in(value, kind).encode() or None


def admitted_as(value: bytes | None) -> Kind | None:
    """The kind of record that the edge would take it for now.

    An event that lacks its type can be read as an update: what is of events only tells it apart.
    An update without properties is refused.
    """
    kind = _readable_as(value)
    if kind is None or kind is Kind.EVENT:
        return kind
    members = _members.decode(value or b"")
    if members.event_type is not ABSENT or members.event_properties is not ABSENT:
        return None
    if kind is Kind.GROUP_PROPERTIES:
        return None if members.group_properties is ABSENT else kind
    is_without = members.user_properties is ABSENT and members.groups is ABSENT
    return None if is_without else kind


def _readable_as(value: bytes | None) -> Kind | None:
    if value is None:
        return None
    fitting = (kind for kind, read in READERS.items() if not isinstance(read(value), Defect))
    return next(fitting, None)


def replayed_times(record: Stored) -> int:
    """How often it has been replayed before."""
    text = record.header("replayed") or ""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def letter_name(letter: Stored) -> str:
    """The same for copies of a letter, another one each time that the record dies."""
    origin, destination = letter.header("origin"), letter.header("destination")
    if destination == EDGE:
        return letter.origin  # It has no other origin.
    return f"{origin} {destination} {replayed_times(letter)}"
