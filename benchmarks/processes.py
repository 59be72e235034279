"""Processes under measurement: started with their configuration, read in /proc, ended by us."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ampgate.lab import parent_death

READY_SECONDS = 30.0
STOP_SECONDS = 15.0
SAID_MAX = 4000
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of the process and of its children."""
    ticks = 0
    for member in family(pid):
        fields = stat(member)
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def rss_megabytes(pid: int) -> float:
    """The most that the process ever held, and each of its children."""
    return sum(peak_kilobytes(member) for member in family(pid)) / 1024


def peak_kilobytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM in /proc/PID/status")


def family(pid: int) -> list[int]:
    """The process and its children: an edge of several workers is one of each."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    return [pid, *map(int, children)]


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: the second may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body: bytes = answer.read()
    return body.decode()


@contextmanager
def process(*arguments: str, ready: str, config: Path | None = None) -> Iterator[int]:
    """As `running`, of `python -m …`."""
    command = [sys.executable, "-m", *arguments]
    if config is not None:
        command = ["env", f"AMPGATE_CONFIG={config}", *command]  # It becomes python: same pid.
    with running(command, ready=ready) as pid:
        yield pid


@contextmanager
def running(command: Sequence[str], *, ready: str) -> Iterator[int]:
    """The pid of the command, once `ready` answers 2xx; ended afterwards.

    What it says is shown only if something goes wrong meanwhile.
    """
    with tempfile.TemporaryFile() as output:
        started = parent_death.spawn(command, output=output)
        try:
            await_ready(started, ready)
            yield started.pid
        except BaseException:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace")[-SAID_MAX:])
            raise
        finally:
            end(started)


def end(started: subprocess.Popen[bytes]) -> None:
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
