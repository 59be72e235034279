"""The clients: each sends the events of its users, in order, until every one is acknowledged."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import count
from random import Random

import orjson
from pyreqwest.client import ClientBuilder

from ampgate.send.lines import LANES, parse_line
from ampgate.send.posting import Post, poster
from ampgate.send.send import Sender

CLIENTS = 6
USERS_EACH = 8
EVENTS_AT_ONCE = (1, 40)
REST_SECONDS = (0.1, 0.8)
TRY_SECONDS = 12.0  # The edge answers within 8 s if Kafka does not.
RETRY_SECONDS_MAX = 0.5  # Impatient: who waits long breaks little.
GIVE_UP_SECONDS = 240.0  # All edges may be away while Kafka is, on a slow machine.


class Client:
    """`acknowledged` are insert_ids: `USER-NUMBER`, numbered by user."""

    def __init__(
        self,
        users: Sequence[str],
        post: Post,
        random: Random,
        on_acknowledged: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.longest_wait = 0.0  # From the first try of some events to the answer to the last.
        self._users = users
        self._random = random
        self._on_acknowledged = on_acknowledged
        self._numbers = {user: count() for user in users}
        self._sender = Sender(
            post,
            lambda _line, reason: self.refused.append(reason),
            sleep=lambda seconds: asyncio.sleep(min(seconds, RETRY_SECONDS_MAX)),
            give_up_seconds=GIVE_UP_SECONDS,
        )

    @property
    def retries(self) -> int:
        return self._sender.summary.retries

    async def send_until(self, over: asyncio.Event) -> None:
        """Keep sending; `CommandError` when the edge is away for too long."""
        while not over.is_set():
            await self.send(self._random.randint(*EVENTS_AT_ONCE))
            await asyncio.sleep(self._random.uniform(*REST_SECONDS))

    async def send(self, events: int) -> None:
        """Return once so many more events are acknowledged."""
        insert_ids = [self._next_id() for _ in range(events)]
        began = time.monotonic()
        await self._sender.send(
            parse_line(number, event(insert_id)) for number, insert_id in enumerate(insert_ids)
        )
        self.longest_wait = max(self.longest_wait, time.monotonic() - began)
        self.acknowledged += insert_ids
        self._on_acknowledged(events)

    def _next_id(self) -> str:
        user = self._random.choice(self._users)
        return f"{user}-{next(self._numbers[user])}"


def event(insert_id: str) -> bytes:
    user, _, number = insert_id.rpartition("-")
    return orjson.dumps(
        {
            "event_type": "Numbered",
            "user_id": user,
            "insert_id": insert_id,
            "time": time.time_ns() // 1_000_000,
            "event_properties": {"number": int(number)},
        }
    )


def users() -> list[str]:
    return [f"user{number:02}" for number in range(CLIENTS * USERS_EACH)]


@asynccontextmanager
async def connected_clients(
    url: str, key: str, seed: int, on_acknowledged: Callable[[int], None]
) -> AsyncIterator[list[Client]]:
    """Each with connections of its own, kept alive."""
    async with AsyncExitStack() as stack:
        clients = []
        for number, names in enumerate(_shares(users())):
            builder = ClientBuilder().follow_redirects(False).max_connections(LANES)
            http = await stack.enter_async_context(
                builder.timeout(timedelta(seconds=TRY_SECONDS)).build()
            )
            random = Random(f"{seed} client {number}")
            clients.append(Client(names, poster(http, url, key), random, on_acknowledged))
        yield clients


def _shares(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), USERS_EACH):
        yield names[start : start + USERS_EACH]
