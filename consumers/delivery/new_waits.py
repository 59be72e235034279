"""Which held keys of a lane to look at again: there may be thousands, and most wait on."""

from collections.abc import Collection

from msgspec import Struct


class NewWaits(Struct):
    """Held keys that are new since the last look, and a count then: when it grows, all are."""

    keys: dict[str, None] = {}
    counted: int = 0

    def to_see(self, waiting: Collection[str], count: int, *, sees_all: bool = False) -> list[str]:
        """The keys to look at now."""
        sees_all = sees_all or count > self.counted
        keys = list(waiting if sees_all else self.keys)
        self.counted = count
        self.keys.clear()
        return keys
