"""The processes of `ampgate dev`: started, looked after, stopped."""

import signal
import subprocess
import sys
from collections import deque
from dataclasses import dataclass, field

from rich.console import Console

from ampgate.errors import CommandError
from ampgate.lab import parent_death

RESTART_SECONDS = 1.0
DEATHS_MAX = 5
DEATHS_WINDOW_SECONDS = 30.0


@dataclass(slots=True)
class Child:
    """One of our processes: started again when it ends, unless that happens at once again."""

    name: str
    arguments: tuple[str, ...]
    stop_seconds: float
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS_MAX))
    start_at: float = 0.0

    def look_after(self, console: Console, now: float) -> None:
        """Start it when it is due; notice when it has ended."""
        if self.process is None:
            if now >= self.start_at:
                self.process = parent_death.spawn(
                    [sys.executable, "-m", "ampgate", *self.arguments]
                )
            return
        status = self.process.poll()
        if status is None:
            return
        self.process = None
        self.deaths.append(now)
        if len(self.deaths) == DEATHS_MAX and now - self.deaths[0] < DEATHS_WINDOW_SECONDS:
            raise CommandError(
                f"{self.name} died {DEATHS_MAX} times in a row: see its messages above"
            )
        self.start_at = now + RESTART_SECONDS
        console.print(f"[yellow]{self.name} ended ({describe(status)}): starting it again[/]")

    def stop(self) -> None:
        """Ask it to end; kill it if that takes too long."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def describe(status: int) -> str:
    """A process's return code, in words."""
    return f"status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
