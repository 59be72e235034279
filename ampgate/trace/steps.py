"""What happened to a record for one destination, step by step, as Kafka has kept it. Pure.

Kafka does not keep when a record was delivered; every other step has left a record of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ampgate.trace.whereabouts import State, Whereabouts
from schemas.letters import LetterHeaders, timestamp
from schemas.records import Stored, source_of


@dataclass(frozen=True, slots=True)
class Step:
    """`at` is RFC 3339, None for the present state; `words` are the destination's own."""

    at: str | None
    what: str
    kind: str  # good, bad, warn or busy, as a state.
    words: str = ""
    letter: str = ""  # The dead letter's place.


def steps_of(
    record: Stored, line: Whereabouts, letters: Sequence[Stored], parked: Sequence[Stored]
) -> list[Step]:
    """In the order of time; `letters` and `parked` are those of this record and destination."""
    accepted = Step(
        timestamp(record.timestamp / 1000),
        f"accepted from {source_of(record)}, stored at {record.origin}",
        "good",
    )
    between = [*map(_parked, parked), *map(_letter, letters)]
    first = min(
        (said.first_failed_at for one in letters if (said := _said(one)).attempts > 1), default=0.0
    )
    if first:
        between.append(Step(timestamp(first), "failed for the first time", "warn"))
    return [accepted, *sorted(between, key=lambda one: one.at or ""), _now(line)]


def _said(record: Stored) -> LetterHeaders:
    return LetterHeaders.decoded(record.headers)


def _parked(record: Stored) -> Step:
    said = _said(record)
    at = timestamp(record.timestamp / 1000)
    if replayed_at := record.header("replayed_at"):
        return Step(replayed_at, "sent again by an operator", "busy")
    until = "" if said.not_before is None else f" until {timestamp(said.not_before)}"
    return Step(at, f"parked{until}: {said.reason or 'no reason is given'}", "warn")


def _letter(record: Stored) -> Step:
    said = _said(record)
    status = f", status {said.status}" if said.status is not None else ""
    tries = f" after {said.attempts} attempts" if said.attempts > 1 else ""
    what = f"died{tries}: {said.reason or 'no reason is given'}{status}"
    return Step(timestamp(record.timestamp / 1000), what, "bad", said.detail, record.origin)


def _now(line: Whereabouts) -> Step:
    why = f": {line.reason}" if line.reason else ""
    until = f" until {line.until}" if line.until else ""
    match line.state:
        case State.DELIVERED:
            return Step(None, "delivered", "good")
        case State.WAITING:
            return Step(None, f"waits{until}{why}", "warn")
        case State.DEAD:
            return Step(None, f"dead{why}", "bad")
        case State.SKIPPED:
            return Step(None, f"skipped{why}", "good")
        case State.UNREAD:
            return Step(None, f"not yet read{why}", "busy")
