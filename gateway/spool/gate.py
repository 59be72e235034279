"""Whether records go straight to Kafka or into the spool: three numbers that all workers share.

They are in a file of the spool's directory, mapped into memory: a request looks at them in 50 ns.
They only change while the spool's database is locked for writing, but for a `shut` after a process
that has ended while the gate was closing.
"""

import asyncio
import mmap
import os
import time
from pathlib import Path

STATE, KEPT, DRAINED = 0, 1, 2  # The numbers; the last two are bytes since the drain began.
OPEN, SHUT, DRAINING, CLOSING = 0, 1, 2, 3
SIZE = 3 * 8
# For a drain that has stopped: then records are spooled again, as fast as the disk can.
PATIENCE_SECONDS = 1.0
LOOK_SECONDS = 0.005


class Gate:
    def __init__(self, file: Path) -> None:
        """Made open; `Spool` shuts it if something waits."""
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Its place on the disk: else the first write ends the process if the disk is full.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, SIZE)
            elif os.fstat(descriptor).st_size != SIZE:  # macOS.
                os.truncate(descriptor, SIZE)
            self._mapped = mmap.mmap(descriptor, SIZE)
        finally:
            os.close(descriptor)
        self._numbers = memoryview(self._mapped).cast("Q")

    @property
    def is_open(self) -> bool:
        """Whether nothing is spooled: records go straight to Kafka."""
        return self._numbers[STATE] == OPEN

    @property
    def is_shut(self) -> bool:
        return self._numbers[STATE] == SHUT

    @property
    def is_closing(self) -> bool:
        """Whether the last of the spool is on its way to Kafka: new records wait a moment."""
        return self._numbers[STATE] == CLOSING

    def open(self) -> None:
        self._numbers[STATE] = OPEN

    def shut(self) -> None:
        self._numbers[STATE] = SHUT

    def drain(self, *, is_last: bool) -> None:
        """What is in the spool is on its way to Kafka, at least the first of it."""
        numbers = self._numbers
        if numbers[STATE] == SHUT:
            numbers[KEPT] = numbers[DRAINED] = 0
        if is_last:
            numbers[STATE] = CLOSING
        elif numbers[STATE] == SHUT:
            numbers[STATE] = DRAINING

    def kept(self, size: int) -> None:
        """Shut it, if it is open. If it is closing it goes on: those behind these wait already."""
        if self.is_open:
            self.shut()
        self._numbers[KEPT] += size

    def drained(self, size: int) -> None:
        self._numbers[DRAINED] += size

    async def settled(self) -> None:
        """Return when it does not close any more; it is shut if it stays so."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.is_closing:
            if time.monotonic() > until:
                self.shut()
            await asyncio.sleep(LOOK_SECONDS)

    async def turn(self) -> None:
        """Return when more may come in: during a drain half of what goes out, else it would not
        end where clients send as fast as the disk can.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while self._is_ahead() and time.monotonic() < until:  # noqa: ASYNC110  Of other processes.
            await asyncio.sleep(LOOK_SECONDS)

    def _is_ahead(self) -> bool:
        numbers = self._numbers
        return numbers[STATE] == DRAINING and numbers[KEPT] > numbers[DRAINED] // 2

    def close(self) -> None:
        self._numbers.release()
        self._mapped.close()
