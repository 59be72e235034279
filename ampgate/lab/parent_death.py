"""Ends a child process when its parent ends, even by `kill -9`.

Theory of operation: `python -m ampgate.lab.parent_death SIGNAL PARENT_PID COMMAND…` asks the
kernel for SIGNAL at the parent's death and then *becomes* COMMAND, so no process is added and `ps`
shows the command. Only Linux has this request (`PR_SET_PDEATHSIG`); elsewhere the command runs
without it.

For the kernel, the parent is the *thread* that started the child. `spawn` starts it from a thread
that lives as long as the child; use it in threads that may end before the process.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def ending_with_parent(
    command: Sequence[str | Path], *, at_death: signal.Signals = signal.SIGTERM
) -> list[str]:
    """The argv for this process to start, which runs `command` and ends with this process."""
    # By its path, without site-packages: importable or not, it costs 20 ms.
    start = [sys.executable, "-I", "-S", __file__, str(int(at_death)), str(os.getpid())]
    return start + [str(word) for word in command]


def spawn(
    command: Sequence[str | Path],
    *,
    at_death: signal.Signals = signal.SIGTERM,
    output: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command`, to end with this process; it reads nothing and writes to `output`.

    Without `environment` it has that of this process.
    """
    started: Future[subprocess.Popen[bytes]] = Future()

    def hold() -> None:
        try:
            process = subprocess.Popen(
                ending_with_parent(command, at_death=at_death),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches only the parent: it knows the order.
            )
        except OSError as error:
            started.set_exception(error)
        else:
            started.set_result(process)
            process.wait()  # This thread must not end before the child.

    threading.Thread(target=hold, name="parent-death", daemon=True).start()
    return started.result()


def main(arguments: Sequence[str]) -> None:
    """Become the command, unless the parent has ended already."""
    at_death, parent, *command = arguments
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, int(at_death), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != int(parent):
            return  # The parent died before the request: the signal would never come.
    os.execvp(command[0], command)  # noqa: S606  To have no shell is the point.


if __name__ == "__main__":
    main(sys.argv[1:])
