"""A whole gateway, broken in every way at once: nothing is lost. Each commit has its faults."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import psutil

SECONDS = 25


def seed() -> int:
    """From the commit, so that each tries something new, and can be repeated."""
    try:
        command = ["git", "rev-parse", "HEAD"]
        here = Path(__file__).parent
        told = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    return Random(told.stdout.strip()).randrange(2**32)


def test_no_event_is_lost_whatever_is_killed() -> None:
    before = ours()
    command = [sys.executable, "-m", "ampgate", "chaos", "--json"]
    command += ["--seconds", str(SECONDS), "--seed", str(seed())]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = [json.loads(line) for line in ran.stdout.splitlines()]
    findings = [one for one in said if "subject" in one]
    assert len(findings) >= 10
    assert all(finding["ok"] for finding in findings)
    did = " ".join(one["did"] for one in said if "did" in one)
    for lane in ("edges", "deliveries", "Kafka", "Amplitude", "Aampe"):
        assert f"{lane}: " in did
    assert ours() <= before, "it left processes behind"


def ours() -> set[int]:
    """The children of this process, and theirs."""
    return {child.pid for child in psutil.Process().children(recursive=True)}
