"""Which series the console keeps for an hour, and what each is summed from. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from ampgate.console.figures.names import EDGE_RECORDS, EDGE_REQUESTS, RECORDS, WAITING
from ampgate.console.figures.stored import Topic
from ampgate.console.figures.totals import Key, Totals

ACCEPTED, REJECTED, DELIVERED, DEAD, FAILED = "accepted", "rejected", "delivered", "dead", "failed"
WAITS = "waiting"


def of(outcome: str, name: str) -> str:
    """The series of one source or destination."""
    return f"{outcome} {name}"


def topic(name: str) -> str:
    return f"topic {name}"


def counters(totals: Totals, topics: Mapping[str, Topic]) -> dict[str, float]:
    """By how much each has grown; of a topic, its end."""
    found: defaultdict[str, float] = defaultdict(float)
    if totals.counted:  # What has never been counted has not grown.
        found |= dict.fromkeys((ACCEPTED, REJECTED, DELIVERED, DEAD), 0.0)
    for key in totals.counted:
        for name in _counted_in(key):
            found[name] += totals.grown.get(key, 0.0)
    return {**found, **{topic(name): float(one.written) for name, one in topics.items()}}


def _counted_in(key: Key) -> Iterator[str]:
    name, labels = key[0], dict(key[1])
    if name == EDGE_RECORDS:
        yield from (labels["outcome"], of(labels["outcome"], labels["source"]))
    elif name == RECORDS:
        yield from (labels["outcome"], of(labels["outcome"], labels["destination"]))
    elif name == EDGE_REQUESTS and labels["status"].startswith("5"):
        yield FAILED


def rates(
    before: Mapping[str, float], now: Mapping[str, float], seconds: float
) -> dict[str, float | None]:
    """A second; of what is new, nothing is known yet."""
    return {
        name: max(0.0, value - before[name]) / max(seconds, 0.001)
        for name, value in now.items()
        if name in before
    }


def gauges(totals: Totals) -> dict[str, float | None]:
    """What waits: in all, and for each destination."""
    found: defaultdict[str, float] = defaultdict(float)
    for (name, labels), value in totals.gauges.items():
        if name == WAITING:
            found[WAITS] += value
            found[of(WAITS, dict(labels)["destination"])] += value
    return dict(found)
