"""Lines as they arrive: a pipe may be slow, and must hold up neither the sending nor Ctrl-C."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

from ampgate.errors import CommandError
from ampgate.send.lines import BadLine, Line

AHEAD_LINES = 2_000  # Read and not taken yet.
IDLE_SECONDS = 0.2  # After so long without another line, what there is goes.


class Arriving:
    """The lines of a file or pipe, and None when no other line comes at once."""

    def __init__(self, lines: Iterator[Line | BadLine]) -> None:
        self._lines = lines
        self._arrived: asyncio.Queue[Line | BadLine | CommandError | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD_LINES)
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Take no other line."""
        self._arrived = asyncio.Queue()  # Nobody takes from this one.

    async def __aiter__(self) -> AsyncIterator[Line | BadLine | None]:
        # A daemon: nothing wakes a thread that reads from a pipe.
        threading.Thread(target=self._read, name="lines", daemon=True).start()
        arrived = self._arrived
        while True:
            if arrived.empty():
                try:
                    line = await asyncio.wait_for(arrived.get(), IDLE_SECONDS)
                except TimeoutError:
                    if self._arrived is not arrived:
                        return
                    yield None
                    continue
            else:
                line = arrived.get_nowait()
            self._room.release()
            if line is None or self._arrived is not arrived:
                return
            if isinstance(line, CommandError):
                raise line
            yield line

    def _read(self) -> None:
        last: CommandError | None = None
        try:
            for line in self._lines:
                self._room.acquire()
                self._hand_over(line)
        except CommandError as error:
            last = error
        self._hand_over(last)

    def _hand_over(self, line: Line | BadLine | CommandError | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, line)
        except RuntimeError:  # The loop has ended: nobody waits for it.
            return
