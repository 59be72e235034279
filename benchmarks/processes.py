"""Processes under measurement: started with their configuration, read in /proc, ended by us."""

import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ampgate.lab import parent_death
from benchmarks.row import BEFORE

READY_SECONDS = 300.0
STOP_SECONDS = 60.0
GET_SECONDS = 300.0
SAID_MAX = 4000
# Who answers is known: it was started here. Without the system's certificates, which take 20 ms.
UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE


@dataclass(frozen=True, slots=True)
class Tree:
    """A checkout of the project, whose processes are measured. `suffix` names its rows."""

    suffix: str
    python: str
    directory: Path | None = None  # None is this one.

    @classmethod
    def at(cls, directory: Path) -> "Tree":
        return cls(BEFORE, str(directory / ".venv" / "bin" / "python"), directory)


OURS = Tree("", sys.executable)


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads, ended ones too, of the process and of its children."""
    return sum(time.clock_gettime(cpu_clock(member)) for member in family(pid))


def cpu_clock(pid: int) -> int:
    """As glibc's `clock_getcpuclockid`: in nanoseconds, where `/proc/PID/stat` has 10 ms."""
    return (~pid << 3) | 2  # CPUCLOCK_SCHED


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


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=GET_SECONDS, context=UNVERIFIED) as answer:
        body: bytes = answer.read()
    return body.decode()


@contextmanager
def process(
    *arguments: str,
    ready: str,
    config: Path | None = None,
    tree: Tree = OURS,
    throttled_percent: int = 0,
) -> Iterator[int]:
    """As `running`, of `python -m …` in this checkout or another."""
    command = [tree.python, "-m", *arguments]
    where = [] if tree.directory is None else ["-C", str(tree.directory)]
    settings = [] if config is None else [f"AMPGATE_CONFIG={config}"]
    settings.append(f"AMPGATE_BENCH_THROTTLED={throttled_percent}")
    command = ["env", *where, *settings, *command]  # It becomes python: same pid.
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
