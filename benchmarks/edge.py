"""The edge: HTTP in, acknowledged by Kafka out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.generator import CONNECTIONS, Generator
from benchmarks.goals import BATCH, PACED, SINGLE, WORKERS
from benchmarks.processes import OURS, Tree, cpu_seconds, rss_megabytes
from benchmarks.requests import REQUESTS, USUAL
from benchmarks.row import (
    GO,
    HEADLINE_ROUNDS,
    Figures,
    Round,
    Rounds,
    Row,
    Selection,
    compared,
    in_turns,
    rows_of,
)
from benchmarks.servers import USUAL_EDGE, Server, Servers, Variant

SINGLES = 12_000
BATCH_EVENTS = 100
BATCHES = 1_500
PACED_BATCHES = 3_000
PACED_SHARE = 0.8
FEW = 4  # Most rows of the matrix have this share of a headline's requests.
TLS = Variant(tls=True)


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of load on one kind of edge."""

    per_request: int
    requests: int
    kind: str = USUAL
    way: str = "kept"
    variant: Variant = USUAL_EDGE


HEADLINES: Mapping[str, Cell] = {
    SINGLE: Cell(1, SINGLES),
    BATCH: Cell(BATCH_EVENTS, BATCHES),
}


def cell_name(per_request: int, what: str = USUAL) -> str:
    return f"edge, {per_request:,} a request, {what}"


def _matrix() -> Iterator[tuple[str, str, Cell]]:
    """Name, what it is compared with, and load, of all that comes from the field."""
    for per_request, most in ((1, SINGLES), (BATCH_EVENTS, BATCHES)):
        base, requests = cell_name(per_request), most // FEW
        yield base, base, Cell(per_request, most)  # As many as in a headline: all are judged by it.
        for kind in REQUESTS:
            if kind != USUAL and not (per_request > 1 and kind == "Aampe"):
                yield cell_name(per_request, kind), base, Cell(per_request, requests, kind)
        variants = {f"{n} partitions": Variant(partitions=n) for n in (1, 64)}
        for what, variant in (variants | {"2 workers": Variant(workers=2)}).items():
            cell = Cell(per_request, requests, variant=variant)
            yield cell_name(per_request, what), base, cell
        yield cell_name(per_request, "TLS"), base, Cell(per_request, requests, USUAL, "tls", TLS)
    for per_request, requests in ((10, SINGLES // 10), (1_000, BATCHES // 30)):
        yield cell_name(per_request), cell_name(BATCH_EVENTS), Cell(per_request, requests)
    single, requests = cell_name(1), SINGLES // FEW
    yield cell_name(1, "fresh connections"), single, Cell(1, requests, USUAL, "fresh")
    fresh_tls = Cell(1, requests // 3, USUAL, "fresh-tls", TLS)
    yield cell_name(1, "fresh connections, TLS"), single, fresh_tls


MATRIX = {name: (base, cell) for name, base, cell in _matrix()}


class Edge:
    def __init__(self, servers: Servers, generator: Generator, selection: Selection) -> None:
        self._servers = servers
        self._generator = generator
        self._selection = selection

    def headlines(self, reference: Path | None, trees: Mapping[str, Tree]) -> Rounds:
        subjects: dict[str, Round] = {}
        for name, cell in HEADLINES.items():
            for tree in trees.values():
                subjects[name + tree.suffix] = self.round(tree, cell)
            if reference is not None:
                subjects[name + GO] = partial(self._compiled, cell)
            workers = Cell(cell.per_request, cell.requests, variant=Variant(workers=2))
            subjects[name + WORKERS] = self.round(OURS, workers)
        return in_turns(self._selection.of(subjects), HEADLINE_ROUNDS)

    def paced(self, reference: Path | None, trees: Mapping[str, Tree]) -> Rounds:
        """At the same rate for all: 80 % of what ours does at most, as measured in each round.

        A rate of a faster minute is more than a slower one can serve: then the requests queue, and
        the latency is that of the queue.
        """
        rate = 0.0

        def measured(tree: Tree | None) -> Figures:
            nonlocal rate
            if tree is OURS:
                server = self._servers.of(OURS)
                most = self._generator.load(server.port, BATCH_EVENTS, BATCHES)
                rate = PACED_SHARE * most.requests / most.seconds
            server = self._servers.compiled() if tree is None else self._servers.of(tree)
            return self._cost(server, Cell(BATCH_EVENTS, PACED_BATCHES), rate)

        subjects = {PACED + tree.suffix: partial(measured, tree) for tree in trees.values()}
        if reference is not None:
            subjects[PACED + GO] = partial(measured, None)
        return in_turns(self._selection.of(subjects), HEADLINE_ROUNDS)

    def matrix(self, reference: Path | None, trees: Mapping[str, Tree]) -> Rounds:
        subjects: dict[str, Round] = {}
        for name, (_, cell) in MATRIX.items():
            for tree in trees.values():
                subjects[name + tree.suffix] = self.round(tree, cell)
            if reference is not None and cell.variant.workers == 1:  # It uses all cores anyway.
                subjects[name + GO] = partial(self._compiled, cell)
        return in_turns(self._selection.of(subjects))

    def round(self, tree: Tree, cell: Cell) -> Round:
        return lambda: self._cost(self._servers.of(tree, cell.variant), cell)

    def _compiled(self, cell: Cell) -> Figures:
        return self._cost(self._servers.compiled(cell.variant), cell)

    def _cost(self, server: Server, cell: Cell, rate: float = 0.0) -> Figures:
        before = cpu_seconds(server.pid)
        load = self._generator.load(
            server.port,
            cell.per_request,
            cell.requests,
            rate=rate,
            kind=cell.kind,
            way=cell.way,
            connections=cell.variant.workers * CONNECTIONS,  # Workers are added for more of them.
        )
        events = load.requests * cell.per_request
        return Figures(
            microseconds_per_event=(cpu_seconds(server.pid) - before) / events * 1e6,
            events=events,
            seconds=load.seconds,
            rss_megabytes=rss_megabytes(server.pid),
            other_end_busy=load.busy,
            p99_ms=load.p99_ms,
        )


def rows(found: Rounds) -> list[Row]:
    names = (SINGLE, BATCH, PACED)
    return rows_of([pair for n in names for pair in ((n, n + GO), (n + GO, None))], found)


def scaling(found: Rounds) -> list[Row]:
    workers = [one for name in HEADLINES for one in compared([name, name + WORKERS], found)]
    cells = rows_of([(name, base) for name, (base, _) in MATRIX.items()], found)
    return [*workers, *cells]
