"""The last reconciliations, as the files have them that `ampgate reconcile --metrics` writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ampgate.console.figures.exposition import Sample, samples
from ampgate.console.words import Level, State, duration

RECORDS = "ampgate_reconciliation_records"
FINISHED = "ampgate_reconciliation_timestamp_seconds"
BYTES_MAX = 1_000_000  # Of a file: that is thousands of destinations.
OLD_SECONDS = 2 * 86_400.0  # It is meant to run every day.
SHOWN = ("delivered", "found", "missing", "foreign", "counted_twice", "late", "pending")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Of one destination; `counts` are events, by what became of them."""

    destination: str
    state: State
    counts: Mapping[str, int]


def read(files: Iterable[Path], now: float) -> tuple[list[Reconciled], list[str]]:
    """By destination, and what is wrong with a file, in a sentence each."""
    found: list[Sample] = []
    troubles = []
    for file in files:
        try:
            with file.open("rb") as opened:
                text = opened.read(BYTES_MAX).decode()
            found += samples(text, (RECORDS, FINISHED))
        except FileNotFoundError:
            troubles.append(f"{file} is not there: no reconciliation has ended yet.")
        except OSError as error:
            troubles.append(f"{file} cannot be read: {error.strerror}.")
        except ValueError as error:  # No UTF-8, or no metrics.
            troubles.append(f"{file} is not what ampgate reconcile --metrics writes: {error}.")
    return reconciled(found, now), troubles


def reconciled(found: Iterable[Sample], now: float) -> list[Reconciled]:
    """The newest of each destination; pure."""
    ended: dict[str, float] = {}
    counts: dict[str, dict[str, int]] = {}
    for one in found:
        name = one.label("destination")
        if one.name == FINISHED:
            ended[name] = max(ended.get(name, 0.0), one.value)
        else:
            counts.setdefault(name, {})[one.label("state")] = int(one.value)
    return [
        Reconciled(
            name,
            state_of(ended.get(name), some, now),
            {state: some[state] for state in SHOWN if state in some},
        )
        for name, some in sorted(counts.items())
    ]


def state_of(ended: float | None, counts: Mapping[str, int], now: float) -> State:
    missing = counts.get("missing", 0)
    if missing:
        text = f"{missing:,} events were accepted and are not there, as found {{since}}."
        fix = "Run it again with --missing FILE, and look at their types in Amplitude."
        return State(Level.BAD, "Events missing", text, fix, ended)
    if ended is not None and now - ended > OLD_SECONDS:
        text = f"Nothing was missing, but that was {duration(now - ended)} ago."
        return State(Level.WARN, "Old", text, "See what runs ampgate reconcile.", ended)
    if counts.get("pending", 0):
        text = "Nothing is missing so far, as found {since}; some hours are not shown yet."
        return State(Level.BUSY, "Pending", text, since=ended)
    return State(Level.GOOD, "All there", "All that was delivered was there {since}.", since=ended)
