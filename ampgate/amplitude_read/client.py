"""Amplitude's read side as the commands use it: within the budget, patient, in plain words.

Statuses as documented (amplitude-read.md): 429 waits and asks again; 403 is the keys'. What an
export answers is the caller's to judge: there 400 and 504 are about the range.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec

from ampgate.amplitude_read.budget import Budget
from ampgate.amplitude_read.exchange import NO_ANSWER, Answer, Asked, Exchange, OnBytes
from ampgate.amplitude_read.spending import REST, Pool
from ampgate.errors import CommandError
from schemas.configuration.config import ConfigError
from schemas.configuration.file import is_here
from schemas.vendors.readable import ReadableDestination

ATTEMPTS_MAX = 8
UNREACHABLE_MAX = 4  # A wrong address is told soon.
THROTTLED_SECONDS = 15.0  # Of a 429 without `Retry-After`; more each time.
BACKOFF_LAST_SECONDS = 60.0
LISTED = "/api/2/events/list"  # Costs least, and says nothing of a user.
KEY_FIX = "correct its api_key and secret_key; they are good in their own project and region only"
ADDRESS_FIX = "so the export's answer may not be Amplitude's either: correct its read_url or region"
Json = dict[str, object]


class ReadClient:
    def __init__(
        self,
        name: str,
        exchange: Exchange,
        login: Mapping[str, str],
        budget: Budget,
        on_trouble: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._exchange = exchange
        self._login = login
        self._budget = budget
        self._on_trouble = on_trouble
        self._sleep = sleep
        self._random = Random()
        self._is_amplitude = False

    async def ask(
        self, asked: Asked, pool: Pool = REST, cost: int = 1, *, its: Collection[int] = ()
    ) -> Answer:
        """A success, or one of the statuses `its`; `CommandError` for all else."""
        whole = Asked(
            asked.path, asked.query, {**self._login, **asked.headers}, asked.method, asked.form
        )
        return await self._until_answered(asked, pool, cost, its, lambda: self._exchange.ask(whole))

    async def json(self, asked: Asked, pool: Pool = REST, cost: int = 1) -> Json:
        """The object that a success is."""
        answer = await self.ask(asked, pool, cost)
        try:
            return msgspec.json.decode(answer.body, type=Json)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CommandError(f"{self._name}: {asked.path} is not answered by JSON") from error

    async def require_amplitude(self) -> None:
        """Asks once. Any wrong address answers 404 or 400, also where Amplitude means a range."""
        if self._is_amplitude:
            return
        try:
            await self.json(Asked(LISTED))
        except CommandError as error:
            raise CommandError(f"{error}; {ADDRESS_FIX}") from error
        self._is_amplitude = True

    async def download(
        self, asked: Asked, into: Path, on_bytes: OnBytes, *, its: Collection[int]
    ) -> Answer:
        """As `ask`; a success's body is in the file."""
        whole = Asked(asked.path, asked.query, self._login)
        return await self._until_answered(
            *(asked, REST, 1, its),
            lambda: self._exchange.download(whole, into, on_bytes),
        )

    async def _until_answered(
        self,
        asked: Asked,
        pool: Pool,
        cost: int,
        its: Collection[int],
        exchange: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        for attempt in range(ATTEMPTS_MAX):
            async with self._budget.spent(pool, cost):
                answer = await exchange()
            if 200 <= answer.status < 300 or answer.status in its:
                return answer
            if answer.status in (401, 403):
                raise CommandError(f"Amplitude refuses the keys of {self._name}: {KEY_FIX}")
            is_passing = answer.status in (NO_ANSWER, 408, 429) or answer.status >= 500
            trouble = _trouble(answer)
            attempts = UNREACHABLE_MAX if answer.status == NO_ANSWER else ATTEMPTS_MAX
            if not is_passing or attempt >= attempts - 1:
                raise CommandError(f"{self._name}: {asked.path}: {trouble}")
            seconds = self._seconds(attempt, answer)
            self._on_trouble(f"{trouble}; asking again in {seconds:.0f} s")
            await self._sleep(seconds)
        raise AssertionError("the last attempt returns or raises")

    def _seconds(self, attempt: int, answer: Answer) -> float:
        if answer.retry_after is not None:
            return max(answer.retry_after, 0.1)
        if answer.status == 429:
            return THROTTLED_SECONDS * (attempt + 1)
        return min(BACKOFF_LAST_SECONDS, 2.0**attempt) * self._random.uniform(0.5, 1.0)


def _trouble(answer: Answer) -> str:
    """In words: what Amplitude says of it, if that is its JSON."""
    if answer.status == NO_ANSWER:
        return f"no answer ({answer.body.decode(errors='replace')})"
    words = ""
    try:
        said = msgspec.json.decode(answer.body, type=Json)
        error = said.get("error")
        if isinstance(error, dict):
            metadata = error.get("metadata")
            details = metadata.get("details") if isinstance(metadata, dict) else None
            words = str(details or error.get("message") or "")
        elif isinstance(error, str):
            words = error
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return f"status {answer.status}" + (f" ({words[:300]})" if words else "")


def require_keys(destination: ReadableDestination) -> None:
    """`ConfigError` if it cannot be read."""
    name = destination.name
    if destination.secret_key is None:
        raise ConfigError(
            f"destinations: {name} has no secret_key: Amplitude shows nothing without"
        )
    for key, secret in (("api_key", destination.api_key), ("secret_key", destination.secret_key)):
        if not is_here(secret):
            raise ConfigError(f"destinations: {name}: its {key} cannot be read here")


def account_of(destination: ReadableDestination) -> str:
    """Which project it is, and where."""
    return f"{destination.reading_url} {destination.api_key.get_secret_value()}"


@asynccontextmanager
async def read_client(
    destination: ReadableDestination,
    kept_in: Path,
    on_trouble: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[ReadClient]:
    require_keys(destination)

    def waiting(seconds: float) -> None:
        on_trouble(f"waiting {seconds:.0f} s for what Amplitude allows")

    budget = Budget(account_of(destination), kept_in, waiting)
    async with Exchange(destination.reading_url) as exchange:
        login = destination.reading_login()
        yield ReadClient(destination.name, exchange, login, budget, on_trouble)
