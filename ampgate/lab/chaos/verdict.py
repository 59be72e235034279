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
    deleted: int  # By Kafka, before anybody read it.
    settled: Mapping[
        str, Mapping[str, int]
    ]  # By destination: delivered, dead, skipped, waiting, lost.


@dataclass(frozen=True, slots=True)
class DeadLetter:
    origin: str
    destination: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known in the end; events are their insert_ids, in order of arrival. `deleted` and
    `lost` are origins: those of the records that Kafka has deleted, and those that a destination
    says it could not read.
    """

    acknowledged: Collection[str]
    refused: Sequence[str]
    stored: Mapping[str, Sequence[str]]  # The origins of each: one may be stored twice.
    deleted: Collection[str]
    lost: Mapping[str, Collection[str]]
    late: Collection[
        str
    ]  # Written where their user's events were before there were more partitions.
    amplitude: Sequence[str]
    aampe: Sequence[str]
    unusable: Mapping[str, str]  # What was wrong with a stored record, by its origin.
    dead_letters: Sequence[DeadLetter]
    unsettled: Mapping[str, int]  # Records that a consumer group has not settled.
    violations: Sequence[str]
    troubles: Sequence[str]  # Processes that ended otherwise than they were told to.
    counted: Counted | None

    def gone(self, destination: str) -> set[str]:
        """The events of which it says that it could read no copy."""
        lost = set(self.lost.get(destination, ()))
        return {one for one, origins in self.stored.items() if lost.issuperset(origins)}

    def moved(self, destination: str) -> set[str]:
        """The events that may arrive after newer ones: those that were written late, and those of
        which a copy was lost, as another one was stored later.
        """
        lost = set(self.lost.get(destination, ()))
        halved = {one for one, origins in self.stored.items() if not lost.isdisjoint(origins)}
        return halved.union(self.late)


def judge(evidence: Evidence) -> Iterator[Finding]:
    """A finding for each promise."""
    sent = set(evidence.acknowledged)
    yield _none("clients", evidence.refused, f"{len(sent)} events acknowledged, none refused")
    stored = [one for one, origins in evidence.stored.items() for _ in origins]
    yield _complete("Kafka", sent, stored)
    for subject, destination, arrived in (
        ("Amplitude", DESTINATIONS[0], evidence.amplitude),
        ("Aampe", DESTINATIONS[1], evidence.aampe),
    ):
        gone = evidence.gone(destination).difference(arrived)
        yield _complete(subject, sent - gone, arrived)
        yield _ordered(f"{subject}, order", arrived, evidence.moved(destination))
    yield _once("Amplitude, repetitions", evidence.amplitude)
    yield _retained(evidence)
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
        if (origin, destination) not in dead and origin not in evidence.lost.get(destination, ())
    ]
    says = f"of each of {len(evidence.unusable)} unusable records, and of no other"
    return _none("dead letters", wrong, says)


def _retained(evidence: Evidence) -> Finding:
    """Only what Kafka has deleted is lost; that no other event is missing, is found elsewhere."""
    wrong = [
        f"{origin} at {destination}, which is not deleted"
        for destination, origins in evidence.lost.items()
        for origin in sorted(set(origins).difference(evidence.deleted))
    ]
    counts = [f"{len(set(origins))} at {name}" for name, origins in evidence.lost.items()]
    says = f"of {len(evidence.deleted)} deleted records, unread and counted as lost: "
    return _none("lost", wrong, says + (", ".join(counts) or "none"))


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


def _ordered(subject: str, arrived: Iterable[str], moved: Collection[str]) -> Finding:
    """By user, in their order of first arrival, but for those that may have `moved`."""
    last: dict[str, int] = {}
    wrong = []
    for insert_id in dict.fromkeys(one for one in arrived if one not in moved):
        user, _, number = insert_id.rpartition("-")
        if int(number) < last.get(user, -1):
            wrong.append(f"{insert_id} after {user}-{last[user]}")
        last[user] = max(int(number), last.get(user, -1))
    return _none(subject, wrong, "every user's events arrived first in the order they were sent")


def _conserved(counted: Counted | None) -> Finding:
    subject = "counters"
    if counted is None:
        return Finding(subject, "the calm stretch at the end did not come about", FIX)
    wrong = [
        f"{name}: {sum(outcomes.values())} of {counted.stored} ({dict(outcomes)})"
        for name, outcomes in counted.settled.items()
        if sum(outcomes.values()) != counted.stored
    ]
    wrong += [
        f"{name}: {outcomes.get('lost', 0)} lost of {counted.deleted} that Kafka deleted unread"
        for name, outcomes in counted.settled.items()
        if outcomes.get("lost", 0) != counted.deleted
    ]
    if counted.accepted != counted.stored:
        wrong.append(f"the edge: {counted.accepted} of {counted.stored}")
    says = f"of {counted.stored} events after the chaos: accepted = delivered + dead + skipped"
    return _none(
        subject, wrong, f"{says} + waiting + the {counted.deleted} deleted, at every destination"
    )


def _some(found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    return ", ".join(found[:SHOWN_MAX]) + more
