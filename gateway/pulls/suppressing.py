"""Suppressions that a pull makes: those of others stay as they are (contract.md#suppression)."""

from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from schemas.decoding import NOT_DECODED
from schemas.records import RawRecord
from schemas.suppressions import Change, Suppression, Suppressions, change_of

_said = msgspec.json.Decoder(Suppression)


class Suppressing:
    """What is suppressed by others than `by`: a pull neither writes nor lifts that."""

    def __init__(self, read: Callable[[], AsyncIterator[Sequence[RawRecord]]], by: str) -> None:
        self._read = read
        self._by = by
        self._others = Suppressions()
        self._run: int | None = None

    async def look_in(self, run: int) -> None:
        """Read the topic, once a run."""
        if self._run != run:
            await self.look()
            self._run = run

    async def look(self) -> None:
        """Read the topic as it is now."""
        others = Suppressions()
        async for records in self._read():
            for record in records:
                if change := change_of(record.key, record.value):
                    is_ours = _by(record.value) == self._by
                    others.change(Change(change.name, change.is_suppressed and not is_ours))
        self._others = others

    def is_others(self, name: str) -> bool:
        return self._others.has_key(name)

    def record(self, name: str, reason: str, since: str) -> RawRecord:
        said = Suppression(reason, since, self._by)
        return RawRecord(name.encode(), msgspec.json.encode(said), ())


def _by(value: bytes | None) -> str | None:
    try:
        return None if value is None else _said.decode(value).by
    except NOT_DECODED:
        return None
