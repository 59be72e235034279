"""A child process runs the command itself, and ends with its parent."""

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from ampgate.lab import parent_death
from tests.eventually import DEADLINE_SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")

PARENT = """
import subprocess, sys
from ampgate.lab import parent_death
print(subprocess.Popen(parent_death.ending_with_parent(["sleep", "3600"])).pid, flush=True)
sys.stdin.read()
"""


def test_a_child_ends_with_its_killed_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)

    assert psutil.wait_procs([child], timeout=DEADLINE_SECONDS)[1] == []


def test_a_command_whose_parent_is_gone_already_does_not_run() -> None:
    command = parent_death.ending_with_parent(["echo", "ran"])
    not_our_pid = [word if word != str(os.getpid()) else "1" for word in command]

    assert subprocess.run(not_our_pid, capture_output=True, check=True).stdout == b""


def test_a_spawned_child_outlives_the_thread_that_asked_for_it() -> None:
    asked: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: asked.append(parent_death.spawn(["sleep", "3600"])))
    thread.start()
    thread.join()
    [child] = asked
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
    finally:
        child.kill()

    assert child.wait(DEADLINE_SECONDS) == -signal.SIGKILL


def test_the_command_keeps_its_exit_code_and_arguments() -> None:
    command = parent_death.ending_with_parent(
        [sys.executable, "-c", "import sys; sys.exit(len(sys.argv))", "a b"]
    )

    assert subprocess.run(command, check=False).returncode == 2
