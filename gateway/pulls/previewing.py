"""What a run would store, handed over instead."""

from collections.abc import Callable, Sequence

import msgspec

from gateway.pulls.run import Store
from schemas.records import Appendable, NewRecord, RawRecord
from schemas.topics import Topics


class Shown:
    """`Store` of a run that stores nothing. Dead letters are none of what a pull produces."""

    def __init__(self, store: Store, topics: Topics, each: Callable[[bytes], None]) -> None:
        self._store = store
        self._topics = topics
        self._each = each

    async def append(self, topic: str, records: Sequence[NewRecord]) -> None:
        if topic != self._topics.dead_letters:
            for record in records:
                self._each(record.value)

    async def store_all(self, _topic: str, records: Sequence[RawRecord]) -> None:
        """Suppressions: the key names who is meant."""
        for key, value, _ in records:
            said = {"lifted": True} if value is None else msgspec.json.decode(value, type=dict)
            self._each(msgspec.json.encode({"name": (key or b"").decode(), **said}))

    def fits(self, topic: str, record: Appendable) -> bool:
        return self._store.fits(topic, record)
