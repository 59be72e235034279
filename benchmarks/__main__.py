"""Measure all, print the tables, and write `results.json` beside this file."""

import dataclasses
import json
import logging
import os
import platform
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ampgate.lab.kafka.kafka import EmbeddedKafka
from benchmarks import clients, delivery, edge, golang, worst
from benchmarks.goals import Verdict, verdicts
from benchmarks.row import Row
from benchmarks.table import show
from benchmarks.worst import Worst

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    # A new topic's partitions take a moment to get their leaders, of which aiokafka warns.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    with (
        tempfile.TemporaryDirectory(prefix="ampgate-bench-") as name,
        EmbeddedKafka(Path(name) / "kafka") as kafka,
    ):
        print("building the compiled reference")
        reference = golang.build(Path(name))
        program = reference.program if isinstance(reference, golang.Reference) else None
        reports = {}
        # The clients first, for they run in this process: what it held before would be theirs.
        for part in (clients, edge, delivery):
            print(f"measuring {part.__name__.rpartition('.')[2]}")
            reports[part] = part.measure(Path(name), kafka.bootstrap_servers, program)
        print("measuring the worst requests")
        dearest = worst.measure(Path(name), kafka.bootstrap_servers)
    rows = [row for part in (edge, delivery, clients) for row in reports[part].rows]
    scaling = [row for part in (edge, delivery) for row in reports[part].scaling]
    judged = verdicts(rows)
    write(reference, rows, scaling, judged, dearest)
    show(rows, scaling, judged, dearest)
    if isinstance(reference, golang.NoReference):
        print(f"No ratios to the compiled reference: {reference.reason}.")


def write(
    reference: golang.Reference | golang.NoReference,
    rows: Sequence[Row],
    scaling: Sequence[Row],
    judged: Sequence[Verdict],
    dearest: Sequence[Worst],
) -> None:
    results = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "go": reference.version if isinstance(reference, golang.Reference) else None,
        "no_reference": reference.reason if isinstance(reference, golang.NoReference) else None,
        "rows": [dataclasses.asdict(row) for row in rows],
        "scaling": [dataclasses.asdict(row) for row in scaling],
        "worst": [dataclasses.asdict(row) for row in dearest],
        "goals": [dataclasses.asdict(verdict) for verdict in judged],
    }
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
