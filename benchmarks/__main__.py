"""Measure, print the tables, and write `results.json` beside this file.

`--rows PATTERN` measures the rows whose name has a match, and writes no file. `--against PATH`
measures another checkout in turns with this one.
"""

import argparse
import dataclasses
import json
import logging
import os
import platform
import re
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ampgate.lab.kafka.kafka import EmbeddedKafka
from benchmarks import clients, delivery, edge, golang, plans, worst
from benchmarks.drain import Drain
from benchmarks.edge import Edge
from benchmarks.generator import Generator
from benchmarks.goals import verdicts
from benchmarks.processes import OURS, Tree
from benchmarks.row import Row, Selection, against
from benchmarks.servers import Servers
from benchmarks.table import show
from benchmarks.worst import Worst

RESULTS = Path(__file__).with_name("results.json")
WORST = "worst requests"  # The name of these rows to `--rows`.


@dataclass
class Found:
    rows: list[Row] = field(default_factory=list)
    scaling: list[Row] = field(default_factory=list)
    against: list[Row] = field(default_factory=list)
    worst: list[Worst] = field(default_factory=list)


def main() -> None:
    arguments = parsed()
    began = time.monotonic()
    # A new topic's partitions take a moment to get their leaders, of which aiokafka warns.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    trees = {"": OURS}
    if arguments.against is not None:
        trees["before"] = Tree.at(arguments.against.resolve())
    with ExitStack() as ending:
        name = ending.enter_context(tempfile.TemporaryDirectory(prefix="ampgate-bench-"))
        kafka = ending.enter_context(EmbeddedKafka(Path(name) / "kafka"))
        print("building the compiled reference")
        reference = golang.build(Path(name))
        selection = Selection(re.compile(arguments.rows))
        found = measured(Path(name), kafka.bootstrap_servers, reference, selection, trees)
    if not arguments.rows and arguments.against is None:
        write(reference, found)
    show(found.rows, found.scaling, found.against, verdicts(found.rows, found.scaling), found.worst)
    if isinstance(reference, golang.NoReference):
        print(f"No ratios to the compiled reference: {reference.reason}.")
    print(f"Measured in {time.monotonic() - began:.0f} s.")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rows", metavar="PATTERN", default="", help="a regular expression")
    parser.add_argument("--against", metavar="PATH", type=Path, help="another checkout, set up")
    return parser.parse_args()


def measured(
    directory: Path,
    bootstrap_servers: str,
    reference: golang.Reference | golang.NoReference,
    selection: Selection,
    trees: dict[str, Tree],
) -> Found:
    program = reference.program if isinstance(reference, golang.Reference) else None
    generator, found = Generator(directory, program), Found()
    # The clients first, for they run in this process: what it held before would be theirs.
    print("measuring clients")
    alone = clients.measure(directory, selection)
    print("measuring plans and transforms")
    of_plans = plans.measure(selection)
    print("measuring the edge")
    with Servers(directory, bootstrap_servers, program, generator) as servers:
        edges = Edge(servers, generator, selection)
        of_edge = {**edges.headlines(program, trees), **edges.paced(program, trees)}
        of_edge |= edges.matrix(program, trees)
        if selection.pattern.search(WORST):
            print("measuring the worst requests")
            found.worst = worst.measure(servers)
    print("measuring the delivery")
    deliveries = delivery.Delivery(Drain(directory, bootstrap_servers), selection)
    of_delivery = {**deliveries.headlines(program, trees), **deliveries.matrix(program, trees)}
    found.rows = [*edge.rows(of_edge), *delivery.rows(of_delivery), *alone]
    found.scaling = [
        *edge.scaling(of_edge),
        *delivery.scaling(of_delivery),
        *plans.rows(of_plans),
    ]
    found.against = against({**of_edge, **of_delivery})
    return found


def write(reference: golang.Reference | golang.NoReference, found: Found) -> None:
    results = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "go": reference.version if isinstance(reference, golang.Reference) else None,
        "no_reference": reference.reason if isinstance(reference, golang.NoReference) else None,
        "rows": [dataclasses.asdict(row) for row in found.rows],
        "scaling": [dataclasses.asdict(row) for row in found.scaling],
        "worst": [dataclasses.asdict(row) for row in found.worst],
        "goals": [dataclasses.asdict(verdict) for verdict in verdicts(found.rows, found.scaling)],
    }
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
