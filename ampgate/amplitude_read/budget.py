"""One budget for all that asks a project: in this process, and in others through a small file."""

import asyncio
import fcntl
import hashlib
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from math import isinf
from pathlib import Path

import msgspec

from ampgate.amplitude_read.spending import Pool, Spending
from ampgate.errors import CommandError

_Kept = dict[str, list[tuple[int, int]]]
_kept = msgspec.json.Decoder(_Kept)
OnWait = Callable[[float], None]


def directory(environment: Mapping[str, str]) -> Path:
    """Where what was spent is kept: the user's cache."""
    cache = environment.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(cache) / "ampgate"


def digest_of(account: str) -> str:
    """For the name of a file: an account holds a key."""
    return hashlib.sha256(account.encode()).hexdigest()[:16]


class Budget:
    """`async with budget.spent(pool, cost):` around each request."""

    def __init__(
        self,
        account: str,
        kept_in: Path,
        on_wait: OnWait = lambda _: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._file = kept_in / f"spent-{digest_of(account)}.json"
        self._on_wait = on_wait
        self._clock, self._sleep = clock, sleep
        self._own = Spending()  # All there is where no file can be kept.
        self._places: dict[str, asyncio.Semaphore] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def spent(self, pool: Pool, cost: int = 1) -> AsyncIterator[None]:
        """Begins once there is room; `CommandError` if there never is."""
        place = self._places.setdefault(pool.name, asyncio.Semaphore(pool.at_once))
        async with place:
            async with self._turns[pool.name]:  # Who comes first asks first.
                await self._spend(pool, cost)
            yield

    async def _spend(self, pool: Pool, cost: int) -> None:
        while (seconds := self._try(pool, cost)) > 0:
            if isinf(seconds):
                raise CommandError(
                    f"this would cost {cost}, and Amplitude allows {pool.most} at once: ask for"
                    " less time"
                )
            self._on_wait(seconds)
            await self._sleep(seconds)

    def _try(self, pool: Pool, cost: int) -> float:
        """Spend it, or tell how long to wait."""
        try:
            self._file.parent.mkdir(0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # For microseconds.
                spending = Spending(_read(file.read()))
                seconds = self._spend_of(spending, pool, cost)
                if seconds == 0:
                    file.seek(0)
                    file.write(msgspec.json.encode(spending.spent))
                    file.truncate()
        # Read-only, another user's, on a full disk: then each process counts for itself.
        except OSError:
            return self._spend_of(self._own, pool, cost)
        return seconds

    def _spend_of(self, spending: Spending, pool: Pool, cost: int) -> float:
        now = self._clock()
        seconds = spending.wait_seconds(pool, cost, now)
        if seconds == 0:
            spending.spend(pool, cost, now)
        return seconds


def _read(text: bytes) -> _Kept:
    """A file that was cut off, or is another's, counts as empty."""
    try:
        return _kept.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
