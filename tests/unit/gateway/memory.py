"""The edge without a network: the whole application, over a store in memory."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

import httpx

from gateway.edge.app import create_app
from schemas.configuration.config import Config
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.flushes import Write
from schemas.records import NewRecord
from schemas.suppressions import Change, Suppressions

KEY = {"authorization": "Bearer secret"}
EVENT = {"event_type": "a", "user_id": "user-1", "time": 1, "insert_id": "i", "ip": "::1"}


class Memory:
    """A store that keeps, waits for, or refuses what is appended."""

    is_spooling = False

    def __init__(self) -> None:
        self.topics: dict[str, list[NewRecord]] = {}
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.away = False
        self.writes: list[Write] | None = None  # If there is a list: those not acknowledged yet.
        self.largest = sys.maxsize

    async def append(self, topic: str, records: Sequence[NewRecord]) -> None:
        self.asked.set()
        await self.open.wait()
        if self.away:
            raise NotStored("away")
        self._keep(topic, records)

    def begin(self, topic: str, records: Sequence[NewRecord]) -> Write | None:
        """At once, if that is possible."""
        self.asked.set()
        if self.away or not self.open.is_set():
            return None
        self._keep(topic, records)
        write = Write()
        if self.writes is not None:
            write.left = 1
            self.writes.append(write)
        return write

    def _keep(self, topic: str, records: Sequence[NewRecord]) -> None:
        if not all(self.fits(topic, record) for record in records):
            raise TooLargeForKafka(topic, self.largest)
        self.topics.setdefault(topic.removeprefix("ampgate."), []).extend(records)

    def fits(self, topic: str, record: NewRecord) -> bool:
        return topic.endswith("dead-letters") or len(record.value) <= self.largest

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def probe(self) -> bool:
        return not self.away

    def values(self, topic: str) -> list[Any]:
        return [json.loads(record.value) for record in self.topics.get(topic, [])]


class Edge:
    """A running edge: what it stores, and a client that talks to it."""

    def __init__(self, *sources: dict[str, Any], **edge: Any) -> None:  # noqa: ANN401
        self.config = Config.model_validate(
            {"edge": edge, "sources": [{"name": "shop", "write_key": "secret"}, *sources]}
        )
        self.store = Memory()
        self.suppressions = Suppressions()
        self.app = create_app(self.config, self.store, suppressions=self.suppressions)
        self.ingest = self.app.ingest

    def suppress(self, *names: str) -> None:
        """As the topic does that all edges follow."""
        for name in names:
            self.suppressions.change(Change(name, is_suppressed=True))

    @property
    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]  # Our scope is narrower.
        return httpx.AsyncClient(transport=transport, base_url="http://edge")

    @property
    def admin_client(self) -> httpx.AsyncClient:
        """One on the admin port."""
        transport = httpx.ASGITransport(self.app.admin or self.app)  # type: ignore[arg-type]  # As above.
        return httpx.AsyncClient(transport=transport, base_url="http://edge")
