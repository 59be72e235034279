"""The delivery: Kafka in, requests to a sink that only counts out."""

from functools import partial
from pathlib import Path

from benchmarks.drain import Drain, Kind, Topic
from benchmarks.goals import AAMPE, AMPLITUDE, AMPLITUDE_GZIP
from benchmarks.row import Report, Round, Rounds, Row, compared, in_turns, row

GO = ", Go"
PARTITIONS = 8  # Where they are not what is compared.
MANY_PARTITIONS = (1, PARTITIONS, 64)
BACKLOG = Topic("backlog", PARTITIONS, events=1_000_000)
EVENTS = {n: Topic(f"many-{n}", n, events=300_000) for n in MANY_PARTITIONS}
FEW_EVENTS = {n: Topic(f"few-{n}", n, events=40_000) for n in MANY_PARTITIONS}

TO_AMPLITUDE = Kind('type = "amplitude"\ngzip = false', "amplitude", 200)
TO_AMPLITUDE_GZIP = Kind('type = "amplitude"', "amplitude", 200)
TO_AAMPE = Kind('type = "aampe"\nregion = "us-east1"', "aampe", 202)


def measure(directory: Path, bootstrap_servers: str, reference: Path | None) -> Report:
    drain = Drain(directory, bootstrap_servers)
    for topic in (*FEW_EVENTS.values(), *EVENTS.values(), BACKLOG):
        drain.fill(topic)
    found = in_turns(amplitude(drain, reference)) | in_turns(aampe(drain, reference))
    return Report(rows(found), scaling(found))


def amplitude(drain: Drain, reference: Path | None) -> dict[str, Round]:
    """Over the backlog ours and the reference, next to each other in time."""
    subjects: dict[str, Round] = {AMPLITUDE: partial(drain.ours, TO_AMPLITUDE, BACKLOG)}
    if reference is not None:
        subjects[AMPLITUDE + GO] = partial(drain.compiled, reference, TO_AMPLITUDE, BACKLOG)
    subjects[AMPLITUDE_GZIP] = partial(drain.ours, TO_AMPLITUDE_GZIP, EVENTS[PARTITIONS])
    for topic in EVENTS.values():
        subjects[to_amplitude(topic)] = partial(drain.ours, TO_AMPLITUDE, topic)
    return subjects


def aampe(drain: Drain, reference: Path | None) -> dict[str, Round]:
    subjects: dict[str, Round] = {}
    if reference is not None:
        subjects[AAMPE + GO] = partial(drain.compiled, reference, TO_AAMPE, FEW_EVENTS[PARTITIONS])
    for topic in FEW_EVENTS.values():
        subjects[to_aampe(topic)] = partial(drain.ours, TO_AAMPE, topic)
    return subjects


def rows(found: Rounds) -> list[Row]:
    found = {**found, AAMPE: found[to_aampe(FEW_EVENTS[PARTITIONS])]}
    if AMPLITUDE + GO not in found:
        return [row(name, found) for name in (AMPLITUDE, AMPLITUDE_GZIP, AAMPE)]
    return [
        row(AMPLITUDE, found, ratio_to=AMPLITUDE + GO),
        row(AMPLITUDE_GZIP, found, ratio_to=AMPLITUDE + GO),
        row(AMPLITUDE + GO, found),
        row(AAMPE, found, ratio_to=AAMPE + GO),
        row(AAMPE + GO, found),
    ]


def scaling(found: Rounds) -> list[Row]:
    """More partitions, and a longer backlog."""
    found = {**found, to_amplitude(BACKLOG): found[AMPLITUDE]}
    return [
        *compared([to_amplitude(topic) for topic in EVENTS.values()], found),
        *compared([to_amplitude(EVENTS[PARTITIONS]), to_amplitude(BACKLOG)], found),
        *compared([to_aampe(topic) for topic in FEW_EVENTS.values()], found),
    ]


def to_amplitude(topic: Topic) -> str:
    return f"Amplitude, {size(topic)}"


def to_aampe(topic: Topic) -> str:
    return f"Aampe, {size(topic)}"


def size(topic: Topic) -> str:
    plural = "" if topic.partitions == 1 else "s"
    return f"{topic.partitions} partition{plural}, {topic.events:,} events"
