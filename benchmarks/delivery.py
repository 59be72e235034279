"""The delivery: Kafka in, requests to a sink that only counts out."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks.drain import Drain, Kind, Topic
from benchmarks.goals import AAMPE, AMPLITUDE, AMPLITUDE_GZIP
from benchmarks.processes import OURS, Tree
from benchmarks.row import (
    GO,
    HEADLINE_ROUNDS,
    Round,
    Rounds,
    Row,
    Selection,
    compared,
    in_turns,
    rows_of,
)

PARTITIONS = 8  # Where they are not what is compared.
MANY_PARTITIONS = (1, PARTITIONS, 64)
BACKLOG = Topic("backlog", PARTITIONS, events=1_000_000)
SHORT_BACKLOG = Topic("short-backlog", PARTITIONS, events=100_000)
EVENTS = {n: Topic(f"many-{n}", n, events=300_000) for n in MANY_PARTITIONS}
FEW_EVENTS = {n: Topic(f"few-{n}", n, events=120_000) for n in MANY_PARTITIONS}
PLAIN = Topic("plain", PARTITIONS, events=300_000, compression="none")
# With fewer, Amplitude's rate for each user is the limit, and no longer what an event costs.
FEW_USERS = Topic("few-users", PARTITIONS, events=300_000, users=100)
# Each is throttled once: of a million users, most would have no second event to be held.
HELD_USERS = Topic("held", PARTITIONS, events=100_000, users=10_000)

TO_AMPLITUDE = Kind('type = "amplitude"\ngzip = false', "amplitude", 200)
TO_AMPLITUDE_GZIP = Kind('type = "amplitude"', "amplitude", 200)
TO_AAMPE = Kind('type = "aampe"\nregion = "us-east1"', "aampe", 202)
FILTERED = Kind(TO_AMPLITUDE_GZIP.settings + '\nsources = ["bench"]', "amplitude", 200)
WHERE = Kind(TO_AMPLITUDE_GZIP.settings + '\nwhere = { platform = ["Web"] }', "amplitude", 200)


def throttled(percent: int) -> Kind:
    return Kind(TO_AMPLITUDE_GZIP.settings, "amplitude", 200, throttled_percent=percent)


USUAL = "Amplitude, gzip, usual"
UNCOMPRESSED = "Amplitude, gzip, an uncompressed topic"
NONE_HELD = "Amplitude, gzip, 0 % of users held"
# All but the partitions and the backlog: those are compared without gzip. Held users are compared
# with none of the same topic, of which starting is a larger part than of the usual one.
MATRIX: Mapping[str, tuple[str, Kind, Topic]] = {
    USUAL: (USUAL, TO_AMPLITUDE_GZIP, EVENTS[PARTITIONS]),
    UNCOMPRESSED: (USUAL, TO_AMPLITUDE_GZIP, PLAIN),
    "Amplitude, gzip, a filter of sources": (USUAL, FILTERED, EVENTS[PARTITIONS]),
    "Amplitude, gzip, a where": (USUAL, WHERE, EVENTS[PARTITIONS]),
    "Amplitude, gzip, 100 users": (USUAL, TO_AMPLITUDE_GZIP, FEW_USERS),
    NONE_HELD: (USUAL, throttled(0), HELD_USERS),
    "Amplitude, gzip, 5 % of users held": (NONE_HELD, throttled(5), HELD_USERS),
    "Amplitude, gzip, 50 % of users held": (NONE_HELD, throttled(50), HELD_USERS),
}


class Delivery:
    def __init__(self, drain: Drain, selection: Selection) -> None:
        self._drain = drain
        self._selection = selection

    def headlines(self, reference: Path | None, trees: Mapping[str, Tree]) -> Rounds:
        """Ours and the reference, next to each other in time."""
        subjects: dict[str, Round] = {}
        for name, kind, topic in (
            (AMPLITUDE, TO_AMPLITUDE, BACKLOG),
            (AMPLITUDE_GZIP, TO_AMPLITUDE_GZIP, BACKLOG),
            (AAMPE, TO_AAMPE, FEW_EVENTS[PARTITIONS]),
        ):
            for tree in trees.values():
                subjects[name + tree.suffix] = partial(self._drain.ours, tree, kind, topic)
            if reference is not None and name != AMPLITUDE_GZIP:  # It has no gzip.
                subjects[name + GO] = partial(self._drain.compiled, reference, kind, topic)
        return in_turns(self._selection.of(subjects), HEADLINE_ROUNDS)

    def matrix(self, reference: Path | None, trees: Mapping[str, Tree]) -> Rounds:
        subjects: dict[str, Round] = {}
        for topic in (*EVENTS.values(), SHORT_BACKLOG, BACKLOG):
            self._beside(reference, subjects, to_amplitude(topic), TO_AMPLITUDE, topic)
        for topic in FEW_EVENTS.values():
            self._beside(reference, subjects, to_aampe(topic), TO_AAMPE, topic)
        for name, (_, kind, topic) in MATRIX.items():
            for tree in trees.values():
                subjects[name + tree.suffix] = partial(self._drain.ours, tree, kind, topic)
            if reference is not None and name in (USUAL, UNCOMPRESSED):  # Without gzip.
                subjects[name + GO] = partial(self._drain.compiled, reference, kind, topic)
        return in_turns(self._selection.of(subjects))

    def _beside(
        self,
        reference: Path | None,
        subjects: dict[str, Round],
        name: str,
        kind: Kind,
        topic: Topic,
    ) -> None:
        """Ours and the reference, next to each other in time."""
        subjects[name] = partial(self._drain.ours, OURS, kind, topic)
        if reference is not None:
            subjects[name + GO] = partial(self._drain.compiled, reference, kind, topic)


def rows(found: Rounds) -> list[Row]:
    pairs = (
        (AMPLITUDE, AMPLITUDE + GO),
        (AMPLITUDE_GZIP, AMPLITUDE + GO),
        (AMPLITUDE + GO, None),
        (AAMPE, AAMPE + GO),
        (AAMPE + GO, None),
    )
    return rows_of(pairs, found)


def scaling(found: Rounds) -> list[Row]:
    """More partitions, a longer backlog, and what comes from the field."""
    backlogs = (SHORT_BACKLOG, EVENTS[PARTITIONS], BACKLOG)
    return [
        *compared([to_amplitude(topic) for topic in EVENTS.values()], found),
        *compared([to_amplitude(topic) for topic in backlogs], found),
        *compared([to_aampe(topic) for topic in FEW_EVENTS.values()], found),
        *rows_of([(name, base) for name, (base, _, _) in MATRIX.items()], found),
    ]


def to_amplitude(topic: Topic) -> str:
    return f"Amplitude, {size(topic)}"


def to_aampe(topic: Topic) -> str:
    return f"Aampe, {size(topic)}"


def size(topic: Topic) -> str:
    plural = "" if topic.partitions == 1 else "s"
    return f"{topic.partitions} partition{plural}, {topic.events:,} events"
