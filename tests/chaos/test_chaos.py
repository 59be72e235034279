"""A whole gateway, broken in every way at once: nothing is lost.

The faults are the same each time: `AMPGATE_CHAOS_SEED=1` draws others.
"""

import json
import os
import subprocess
import sys

import psutil

from ampgate.lab.chaos.plan import Lane

SECONDS = 25
SEED = os.environ.get("AMPGATE_CHAOS_SEED", "28")  # With it, each lane breaks something early.


def test_no_event_is_lost_whatever_is_killed() -> None:
    before = ours()
    command = [sys.executable, "-m", "ampgate", "chaos", "--json"]
    command += ["--seconds", str(SECONDS), "--seed", SEED]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = [json.loads(line) for line in ran.stdout.splitlines()]
    findings = [one for one in said if "subject" in one]
    assert len(findings) >= 12
    assert all(finding["ok"] for finding in findings)
    did = " ".join(one["did"] for one in said if "did" in one)
    for lane in Lane:
        assert f"{lane}: " in did
    assert ours() <= before, "it left processes behind"


def ours() -> set[int]:
    """The children of this process, and theirs."""
    return {child.pid for child in psutil.Process().children(recursive=True)}
