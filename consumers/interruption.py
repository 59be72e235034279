"""Ends the call of a user's function that does not return: it blocks the loop of all destinations.

Theory of operation: once a function is in use, the process gets a SIGALRM each second. Python runs
its handler in the main thread, between two steps of whatever runs there. If the same call was found
`TICKS_MAX` times, the handler raises an exception into it, so its record is dead and the loop goes
on. Ticks are counted, and not seconds: a process that was stopped, or had no CPU, gets one.

That ends loops in Python, `time.sleep`, waiting for a socket, and `re`. It ends neither a call into
C that does not look for signals, such as `sum(range(10**12))`, nor a loop that catches
everything. Then, after `TRACEBACK_SECONDS`, a thread of C writes to standard error where it is, and
what asks for `/healthz` gets no answer: the process has to be restarted from outside.
"""

import faulthandler
import signal
from types import CodeType, FrameType

TICK_SECONDS = 1.0
TICKS_MAX = 5
TRACEBACK_SECONDS = 30.0


class NotReturnedError(BaseException):
    """Raised into a call; no `Exception`, as a function may catch these."""


class Interruption:
    """Of calls made in `code`, which counts in `calls` when one begins, and when it ends."""

    def __init__(self, code: CodeType) -> None:
        self.calls = 0
        self._code = code
        self._seen = -1
        self._ticks = 0
        self._is_installed = False

    def install(self) -> None:
        """For this process; only the main thread may."""
        signal.signal(signal.SIGALRM, self.tick)
        self._is_installed = True

    def begin(self) -> None:
        """A function is in use."""
        if self._is_installed:
            signal.setitimer(signal.ITIMER_REAL, TICK_SECONDS, TICK_SECONDS)

    def end(self) -> None:
        """Before the interpreter ends: without Python's handler, a SIGALRM ends the process."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()

    def tick(self, _signal: int, frame: FrameType | None) -> None:
        if self._is_installed:
            faulthandler.dump_traceback_later(TRACEBACK_SECONDS)
        if self.calls != self._seen:
            self._seen, self._ticks = self.calls, 0
            return
        self._ticks += 1
        if self._ticks < TICKS_MAX or frame is None:
            return
        if (inside := self._inside(frame)) is not None:
            self._ticks = 0
            seconds = TICKS_MAX * TICK_SECONDS
            raise NotReturnedError(f"it did not return within {seconds:g} s: it was at {inside}")

    def _inside(self, frame: FrameType) -> str | None:
        """Where in a function it is; None before and behind a call."""
        found = [frame]
        while (caller := found[-1].f_back) is not None and caller.f_code is not self._code:
            found.append(caller)
        if caller is None:
            return None
        # The last is what calls the function as its parameters want it (shaping/functions.py).
        function = found[max(0, len(found) - 2)]
        called = "" if function is frame else f", called at {place_of(function)}"
        return place_of(frame) + called


def place_of(frame: FrameType) -> str:
    return f"line {frame.f_lineno} of {frame.f_code.co_filename} ({frame.f_code.co_name})"
