"""Writes records to the spool: all that come while the disk is busy are written together."""

import asyncio
import sqlite3
from collections.abc import Callable

import structlog

from gateway.spool.one_thread import OneThread
from gateway.spool.seldom import Seldom
from gateway.spool.spool import Entry, Spool
from schemas.kafka.batches import NotStored
from schemas.kafka.flushes import Write

log = structlog.get_logger()


class Keeping:
    def __init__(self, spool: Spool, thread: OneThread, kept: Callable[[int], None]) -> None:
        """`kept` is told of each so many records that are on the disk."""
        self._spool = spool
        self._thread = thread
        self._kept = kept
        self._waiting: list[tuple[Entry, Write]] = []
        self._writing: asyncio.Task[None] | None = None
        self._has_ended = False
        self._failing = Seldom()  # A full spool fails again and again.

    def keep(self, entry: Entry) -> Write:
        """It ends when the records are on the disk, or with `NotStored`."""
        write = Write()
        write.left = 1
        if self._has_ended:  # Kafka's client fails what it had not sent as it stops.
            error = NotStored("the edge ends")
            asyncio.get_running_loop().call_soon(write.one_ended, error)
            return write
        self._waiting.append((entry, write))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return write

    async def end(self) -> None:
        """Return when all that came is on the disk; it takes no more."""
        self._has_ended = True
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await self._spool.gate.turn()
            together, self._waiting = self._waiting, []
            error = await self._written([entry for entry, _ in together])
            for _, write in together:
                loop.call_soon(write.one_ended, error)

    async def _written(self, entries: list[Entry]) -> NotStored | None:
        try:
            await self._thread.run(lambda: self._spool.keep(entries))
            self._kept(sum(len(entry.records) for entry in entries))
        except Exception as error:  # noqa: BLE001  Whatever it was: they are not on the disk.
            self._say_failing(error)
            return NotStored(f"the spool: {error}")
        return None

    def _say_failing(self, error: Exception) -> None:
        if not isinstance(error, sqlite3.Error | OSError):
            log.error("records could not be spooled, requests are answered 503", exc_info=error)
        elif self._failing.is_due():
            log.error(
                "the spool takes no records, requests are answered 503",
                error=str(error),
                spool_bytes=self._spool.level.size,
                spool_max_bytes=self._spool.bytes_max,
            )
