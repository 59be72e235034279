"""Whether anything was lost, doubled or moved: judged from what arrived. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ampgate.check.finding import Finding
from ampgate.lab.chaos.fleet import DESTINATIONS

SHOWN_MAX = 5
FIX = "a promise is broken: please report it with the seed and the logs"
# A wait lives in memory: a process that is killed forgets it, and one that joins never knew.
EARLY = ("before its time", "before Retry-After had passed")


@dataclass(frozen=True, slots=True)
class Counted:
    """What the counters of one calm stretch say, of processes that lived through it."""

    accepted: int  # By the edge.
    stored: int  # By Kafka.
    settled: Mapping[str, Mapping[str, int]]  # By destination: delivered, dead, skipped, waiting.


@dataclass(frozen=True, slots=True)
class DeadLetter:
    origin: str
    destination: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known in the end; events are their insert_ids, in order of arrival."""

    acknowledged: Collection[str]
    refused: Sequence[str]
    stored: Sequence[str]
    amplitude: Sequence[str]
    aampe: Sequence[str]
    unusable: Mapping[str, str]  # What was wrong with a stored record, by its origin.
    dead_letters: Sequence[DeadLetter]
    unsettled: Mapping[str, int]  # Records that a consumer group has not settled.
    violations: Sequence[str]
    troubles: Sequence[str]  # Processes that ended otherwise than they were told to.
    counted: Counted | None


def judge(evidence: Evidence) -> Iterator[Finding]:
    """A finding for each promise."""
    sent = set(evidence.acknowledged)
    yield _none("clients", evidence.refused, f"{len(sent)} events acknowledged, none refused")
    yield _complete("Kafka", sent, evidence.stored)
    yield _complete("Amplitude", sent, evidence.amplitude)
    yield _once("Amplitude, repetitions", evidence.amplitude)
    yield _ordered("Amplitude, order", evidence.amplitude)
    yield _complete("Aampe", sent, evidence.aampe)
    yield _ordered("Aampe, order", evidence.aampe)
    yield _dead(evidence)
    waiting = [f"{count} in {group}" for group, count in evidence.unsettled.items() if count]
    yield _none("waiting", waiting, "every group has settled all that is stored")
    violations = [one for one in evidence.violations if not one.endswith(EARLY)]
    yield _none("the destinations' rules", violations, "kept")
    yield _none("processes", evidence.troubles, "ended only when told to, and then with status 0")
    yield _conserved(evidence.counted)


def judge_pulled(
    profiles: Collection[str], arrived: Sequence[str], violations: Sequence[str]
) -> Iterator[Finding]:
    """Of a pull: the profiles that there are, and those of the records that it made."""
    yield _complete("Amperity", profiles, arrived, "profiles")
    yield _none("Amperity's rules", violations, "kept")


def _dead(evidence: Evidence) -> Finding:
    """Every unusable record is dead at every destination, and no other record is."""
    dead = {(letter.origin, letter.destination) for letter in evidence.dead_letters}
    wrong = [
        f"{one.origin} at {one.destination}: {one.reason}"
        for one in evidence.dead_letters
        if one.origin not in evidence.unusable
    ]
    wrong += [
        f"none of {origin} ({words}) at {destination}"
        for origin, words in evidence.unusable.items()
        for destination in DESTINATIONS
        if (origin, destination) not in dead
    ]
    says = f"of each of {len(evidence.unusable)} unusable records, and of no other"
    return _none("dead letters", wrong, says)


def _none(subject: str, found: Sequence[str], says: str) -> Finding:
    return Finding(subject, _some(found), FIX) if found else Finding(subject, says)


def _complete(
    subject: str, sent: Collection[str], arrived: Sequence[str], what: str = "events"
) -> Finding:
    distinct = set(arrived)
    lost = sorted(set(sent) - distinct)
    strange = sorted(distinct - set(sent))
    if lost or strange:
        said = [f"{len(lost)} lost: {_some(lost)}"] if lost else []
        said += [f"{len(strange)} that nobody sent: {_some(strange)}"] if strange else []
        return Finding(subject, "; ".join(said), FIX)
    repeated = len(arrived) - len(distinct)
    more = f", {repeated} of them repeated" if repeated else ", each once"
    return Finding(subject, f"all {len(distinct)} {what}{more}")


def _once(subject: str, arrived: Sequence[str]) -> Finding:
    repeated = [one for one, times in Counter(arrived).items() if times > 1]
    return _none(subject, repeated, "none")


def _ordered(subject: str, arrived: Iterable[str]) -> Finding:
    """By user, in their order of first arrival."""
    last: dict[str, int] = {}
    moved = []
    for insert_id in dict.fromkeys(arrived):
        user, _, number = insert_id.rpartition("-")
        if int(number) < last.get(user, -1):
            moved.append(f"{insert_id} after {user}-{last[user]}")
        last[user] = max(int(number), last.get(user, -1))
    return _none(subject, moved, "every user's events arrived first in the order they were sent")


def _conserved(counted: Counted | None) -> Finding:
    subject = "counters"
    if counted is None:
        return Finding(subject, "the calm stretch at the end did not come about", FIX)
    wrong = [
        f"{name}: {sum(outcomes.values())} of {counted.stored} ({dict(outcomes)})"
        for name, outcomes in counted.settled.items()
        if sum(outcomes.values()) != counted.stored
    ]
    if counted.accepted != counted.stored:
        wrong.append(f"the edge: {counted.accepted} of {counted.stored}")
    says = f"of {counted.stored} events after the chaos: accepted = delivered + dead + skipped"
    return _none(subject, wrong, f"{says} + waiting, at every destination")


def _some(found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    return ", ".join(found[:SHOWN_MAX]) + more
