"""The way of the records as a picture: sources, topics, destinations, and what flows. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NODES_MAX = 10  # Of a column; the others are one node, and are in the table below.
NODE_HEIGHT, GAP, HEAD = 46.0, 12.0, 22.0
LINE_MIN, LINE_MAX = 1.25, 7.0


@dataclass(frozen=True, slots=True)
class Node:
    """`rank` orders a column: the greatest are shown when there is no room for all."""

    key: str
    label: str
    below: str
    level: str
    rank: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    start: str
    end: str
    rate: float | None
    level: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    node: Node
    x: float
    y: float
    label: str  # Cut to the box.


@dataclass(frozen=True, slots=True)
class Curve:
    path: str
    width: float
    level: str


@dataclass(frozen=True, slots=True)
class Picture:
    width: float
    height: float
    box_width: float
    box_height: float
    heads: Sequence[tuple[float, str]]
    boxes: Sequence[Box]
    curves: Sequence[Curve]
    in_words: str


@dataclass(frozen=True, slots=True)
class Size:
    """Of one picture: for a screen, and for a phone."""

    width: float
    box: float
    characters: int


WIDE = Size(960.0, 236.0, 30)
NARROW = Size(352.0, 106.0, 12)


def picture(
    columns: Sequence[tuple[str, Sequence[Node]]], links: Iterable[Link], size: Size
) -> Picture:
    """Columns from left to right, each in the middle of the height."""
    shown = [(head, fitting(head, nodes)) for head, nodes in columns]
    most = max(len(nodes) for _, nodes in shown)
    height = HEAD + most * (NODE_HEIGHT + GAP)
    step = (size.width - size.box) / max(1, len(shown) - 1)
    boxes: dict[str, Box] = {}
    for number, (_, nodes) in enumerate(shown):
        top = HEAD + (height - HEAD - len(nodes) * (NODE_HEIGHT + GAP) + GAP) / 2
        for row, node in enumerate(nodes):
            y = top + row * (NODE_HEIGHT + GAP)
            boxes[node.key] = Box(node, number * step, y, cut(node.label, size.characters))
    return Picture(
        width=size.width,
        height=height,
        box_width=size.box,
        box_height=NODE_HEIGHT,
        heads=[(number * step, head) for number, (head, _) in enumerate(shown)],
        boxes=list(boxes.values()),
        curves=list(_curves(links, boxes, size)),
        in_words=in_words(columns),
    )


def fitting(head: str, nodes: Sequence[Node]) -> list[Node]:
    """As many as there is room for, the most important; in their own order."""
    if len(nodes) <= NODES_MAX:
        return list(nodes)
    best = sorted(nodes, key=lambda one: -one.rank)[: NODES_MAX - 1]
    kept = [one for one in nodes if one in best]
    more = f"{len(nodes) - len(kept)} more"
    return [*kept, Node(f"more {head}", more, "not in the picture", "unknown")]


def cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def _curves(links: Iterable[Link], boxes: dict[str, Box], size: Size) -> Iterable[Curve]:
    for link in links:
        start, end = boxes.get(link.start), boxes.get(link.end)
        if start is None or end is None:
            continue
        x, to = start.x + size.box, end.x
        y, down = start.y + NODE_HEIGHT / 2, end.y + NODE_HEIGHT / 2
        middle = (x + to) / 2
        path = f"M{x:.1f} {y:.1f}C{middle:.1f} {y:.1f} {middle:.1f} {down:.1f} {to:.1f} {down:.1f}"
        yield Curve(path, thickness(link.rate), link.level or ("" if link.rate else "still"))


def thickness(rate: float | None) -> float:
    """Ten times the rate is a line a little wider."""
    return min(LINE_MAX, LINE_MIN + math.log10(1 + (rate or 0.0)))


def in_words(columns: Sequence[tuple[str, Sequence[Node]]]) -> str:
    return " ".join(
        f"{head}: " + "; ".join(f"{node.label} {node.below}" for node in nodes[:NODES_MAX]) + "."
        for head, nodes in columns
        if nodes
    )
