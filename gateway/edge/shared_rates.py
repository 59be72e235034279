"""A source's rate, shared by all workers: its state is in a file."""

import contextlib
import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.edge.admission import TokenBucket

_STATE = struct.Struct("=dd")  # Tokens, and when they were counted (`time.monotonic`).


class SharedBucket:
    """A `TokenBucket` of several processes. A lock costs 1 µs, and ends with its process."""

    def __init__(self, path: Path, rate: float) -> None:
        self.rate = rate
        self._bucket = TokenBucket(rate, time.monotonic())
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            if os.fstat(self._file).st_size == 0:
                os.write(self._file, _STATE.pack(self._bucket.tokens, self._bucket.at))
            self._state = mmap.mmap(self._file, _STATE.size)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def take(self, count: int, now: float) -> float:
        with self._shared_state() as bucket:
            return bucket.take(count, now)

    def owe(self, count: int) -> None:
        with self._shared_state() as bucket:
            bucket.owe(count)

    @contextlib.contextmanager
    def _shared_state(self) -> Iterator[TokenBucket]:
        bucket = self._bucket
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            bucket.tokens, bucket.at = _STATE.unpack_from(self._state)
            yield bucket
            _STATE.pack_into(self._state, 0, bucket.tokens, bucket.at)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def __del__(self) -> None:
        os.close(self._file)
