"""Measure all, print the table, and write `results.json` beside this file."""

import dataclasses
import json
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from ampgate.kafka import EmbeddedKafka
from benchmarks import clients, delivery, edge
from benchmarks.row import Row

RESULTS = Path(__file__).with_name("results.json")
WIDTH = 116
NO_REFERENCE = (
    "The compiled reference (Go) was not built: its source is not part of the project yet (later"
    " work). So these figures stand without their ratio: compare only runs on one machine."
)


def main() -> None:
    console = Console(highlight=False, width=WIDTH)
    with (
        tempfile.TemporaryDirectory(prefix="ampgate-bench-") as name,
        EmbeddedKafka(Path(name) / "kafka") as kafka,
    ):
        directory = Path(name)
        rows = []
        for part in (edge, delivery, clients):
            console.print(f"measuring {part.__name__.rpartition('.')[2]}")
            rows.extend(part.measure(directory, kafka.bootstrap_servers))
    write(rows)
    show(rows, console)
    console.print(NO_REFERENCE)


def write(rows: list[Row]) -> None:
    results = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "reference": NO_REFERENCE,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def show(rows: list[Row], console: Console) -> None:
    table = Table(Column(no_wrap=True), title="CPU of the server process")
    for heading in ("µs/event", "events", "s", "events/s", "p99 ms", "RSS MB"):
        table.add_column(heading, justify="right")
    for row in rows:
        p99 = "" if row.p99_ms is None else f"{row.p99_ms:g}"
        cells = (row.events, row.seconds, row.events_per_second, p99, row.rss_megabytes)
        table.add_row(row.name, f"{row.microseconds_per_event:g}", *map(str, cells))
    console.print(table)


if __name__ == "__main__":
    main()
