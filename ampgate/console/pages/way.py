"""The nodes and lines of the overview's picture. Pure."""

from collections.abc import Sequence
from typing import Protocol

from ampgate.console.drawing.picture import Link, Node
from ampgate.console.figures import series
from ampgate.console.figures.destinations import RATE_LOOKS
from ampgate.console.figures.figures import Figures
from ampgate.console.figures.names import EDGE_RECORDS, RECORDS
from ampgate.console.words import Destination, Level, State, per_second, short
from schemas.topics import Kind


class Standing(Protocol):
    @property
    def one(self) -> Destination: ...
    @property
    def state(self) -> State: ...


def nodes_of(
    figures: Figures, standings: Sequence[Standing]
) -> Sequence[tuple[str, Sequence[Node]]]:
    """Three columns: those who send, the topics, those who receive."""
    return [
        ("Sources", _sources(figures)),
        ("Topics in Kafka", _topics(figures)),
        ("Destinations", [_destination(one) for one in standings]),
    ]


def links_of(figures: Figures) -> list[Link]:
    """Who has written what, and who reads it."""
    topics, mean = figures.config.kafka.topics, figures.history.mean
    found: dict[tuple[str, str], Link] = {}
    for name, labels in figures.totals.counted:
        named = dict(labels)
        if name == EDGE_RECORDS and named["outcome"] == series.ACCEPTED:
            rate = mean(series.of(series.ACCEPTED, named["source"]), RATE_LOOKS)
            link = Link(f"source {named['source']}", topics.of(Kind(named["kind"])), rate)
            found[link.start, link.end] = link
        elif name == RECORDS:
            rate = mean(series.of(series.DELIVERED, named["destination"]), RATE_LOOKS)
            end = f"destination {named['destination']}"
            link = Link(topics.of(Kind(named["kind"])), end, rate)
            found[link.start, link.end] = link
    return list(found.values())


def _sources(figures: Figures) -> list[Node]:
    counted = {
        dict(labels)["source"] for name, labels in figures.totals.counted if name == EDGE_RECORDS
    }
    names = [one.name for one in figures.config.sources]
    pulls = [one.name for one in figures.config.pulls]
    nodes = []
    for name in dict.fromkeys([*names, *pulls, *sorted(counted)]):
        rate = figures.history.mean(series.of(series.ACCEPTED, name), RATE_LOOKS)
        rejected = figures.history.mean(series.of(series.REJECTED, name), RATE_LOOKS)
        below = f"{per_second(rate)}" if rate is not None else "nothing yet"
        if name in pulls:
            below = "a pull"
        level = Level.WARN if rejected else Level.GOOD if rate else Level.UNKNOWN
        if rejected:
            below += f", {per_second(rejected)} rejected"
        nodes.append(Node(f"source {name}", name, below, level, rank=rate or 0.0))
    return nodes


def _topics(figures: Figures) -> list[Node]:
    topics, stored = figures.config.kafka.topics, figures.stored
    nodes = []
    for name in (*map(topics.of, Kind), topics.dead_letters):
        rate = figures.history.mean(series.topic(name), RATE_LOOKS)
        held = stored.topics.get(name)
        is_letters = name == topics.dead_letters
        if held is None:
            below = "not known"
        else:
            below = f"{short(held.held)} held" + (f", {per_second(rate)}" if rate else "")
        level = Level.BAD if is_letters and rate else Level.GOOD if rate else Level.UNKNOWN
        nodes.append(Node(name, name.removeprefix(topics.prefix), below, level))
    return nodes


def _destination(standing: Standing) -> Node:
    one, state = standing.one, standing.state
    below = f"{state.label.lower()}, {short(one.waits)} waiting" if one.waits else ""
    below = below or f"{state.label.lower()}, {per_second(one.delivered_rate)}"
    weight = {Level.BAD: 3e12, Level.WARN: 2e12, Level.BUSY: 1e12}.get(state.level, 0.0)
    return Node(f"destination {one.name}", one.name, below, state.level, weight + one.waits)
