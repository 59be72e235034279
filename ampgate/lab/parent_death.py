"""Ties a child process to the life of its parent: when the parent dies, even by `kill -9`, it goes.

Theory of operation: `python -m ampgate.lab.leash SIGNAL PARENT_PID COMMAND…` asks the kernel for
SIGNAL
at the parent's death and then *becomes* COMMAND, so no process is added and `ps` shows the command.
Linux has this request (`PR_SET_PDEATHSIG`); elsewhere the command simply runs, unleashed.

The kernel means the *thread* that started the child. Whoever starts one from a thread that may
end before the process uses `spawn`, which starts it from a thread that lives as long as the child.
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


def leashed(
    command: Sequence[str | Path], *, at_death: signal.Signals = signal.SIGTERM
) -> list[str]:
    """The argv that runs `command` for this process to start, and not to be outlived by it."""
    # By its path, without site-packages: importable or not, it costs 20 ms.
    leash = [sys.executable, "-I", "-S", __file__, str(int(at_death)), str(os.getpid())]
    return leash + [str(word) for word in command]


def spawn(
    command: Sequence[str | Path],
    *,
    at_death: signal.Signals = signal.SIGTERM,
    output: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command`, leashed, from whatever thread; it reads nothing and writes to `output`.

    Without `environment` it has ours.
    """
    started: Future[subprocess.Popen[bytes]] = Future()

    def hold() -> None:
        try:
            process = subprocess.Popen(
                leashed(command, at_death=at_death),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches the parent alone: it knows the order.
            )
        except OSError as error:
            started.set_exception(error)
        else:
            started.set_result(process)
            process.wait()  # Not for its answer: this thread must not end before the child.

    threading.Thread(target=hold, name="leash", daemon=True).start()
    return started.result()


def main(arguments: Sequence[str]) -> None:
    """Become the command, on the leash of the parent that it was meant for."""
    at_death, parent, *command = arguments
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, int(at_death), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != int(parent):
            return  # The parent died before the leash was on: nobody would ever end us.
    os.execvp(command[0], command)  # noqa: S606  To have no shell is the point.


if __name__ == "__main__":
    main(sys.argv[1:])
