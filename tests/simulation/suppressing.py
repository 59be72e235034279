"""Some users of a world are suppressed, for good.

Of one that was lifted, what was dropped before could be read again after a crash, and be late.
"""

from collections.abc import Mapping, Sequence
from random import Random

from schemas.suppressions import Change, Suppressions
from tests.simulation.far_end import Origin
from tests.simulation.subjects import Wire


class Suppressing:
    def __init__(self, random: Random, origins: Mapping[str, Origin]) -> None:
        self._random = random  # Of its own: other choices stay as they were.
        self._origins = origins
        self._chance = random.choice([0.0, 0.0, 0.02, 0.1])
        self._ever: set[str] = set()
        self.users = Suppressions()

    def strike(self) -> None:
        if self._chance == 0.0 or self._random.random() > self._chance:
            return
        key = self._random.choice(list(self._origins.values())).key
        self.users.change(Change(key, is_suppressed=True))
        self._ever.add(key)

    def heal(self) -> None:
        self._chance = 0.0

    def check(self, wires: Sequence[Wire]) -> None:
        for wire in wires:
            assert wire.user_id not in self.users, f"{wire.user_id} is suppressed and was sent"

    def may_drop(self, name: str) -> bool:
        """Whether a record of this name may be gone without having been sent.

        A device's id suppresses nobody; but of a record that cannot be read only the key is known.
        """
        origin = self._origins[name]
        is_user = origin.key.startswith("user-")
        return origin.key in self._ever and (is_user or origin.kind != "good")

    def may_skip(self, name: str) -> bool:
        """Whether the engine need not remember it from when it was read."""
        kind = self._origins[name].kind
        return kind == "skipped" or (kind != "good" and self.may_drop(name))
