"""What the workers of an edge share."""

import subprocess
import sys
from pathlib import Path

COUNT_AND_SHOW = """
import asyncio, sys
import ampgate.cli.main  # The command, with all that it imports.
import prometheus_client
from gateway.server.workers import share_figures
share_figures(sys.argv[1])
from gateway.edge.metrics import Metrics

async def count() -> None:
    metrics = Metrics(lambda: 0)
    metrics.records("shop", "event", "accepted", 3)
    metrics.request("native", "202", 0.1)
    await asyncio.sleep(0)
    print(metrics.exposition().decode())

asyncio.run(count())
"""


def test_figures_are_shared_whatever_was_imported_before(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNT_AND_SHOW, str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert 'outcome="accepted",source="shop"} 3.0\n' in shown
    assert list(tmp_path.glob("counter_*.db"))
