"""Processes under measurement: started with their configuration, read in /proc, ended by us."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ampgate import leash

READY_SECONDS = 30.0
STOP_SECONDS = 15.0
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all the process's threads; not of its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_megabytes(pid: int) -> float:
    """The most that it ever held."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM in /proc/PID/status")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body: bytes = answer.read()
    return body.decode()


@contextmanager
def process(*arguments: str, ready: str, config: Path | None = None) -> Iterator[int]:
    """The pid of `python -m …`, once `ready` answers 2xx; ended afterwards."""
    command = [sys.executable, "-m", *arguments]
    if config is not None:
        command = ["env", f"AMPGATE_CONFIG={config}", *command]  # It becomes python: same pid.
    started = leash.spawn(command)
    try:
        await_ready(started, ready)
        yield started.pid
    finally:
        started.terminate()
        try:
            started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def await_ready(started: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert started.poll() is None, f"{started.args!r} ended with {started.returncode}"
        try:
            get(url)
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"{url} was not ready after {READY_SECONDS:g} s")
