"""Who is suppressed (contract.md#suppression): user ids, and domains of addresses. Pure.

Ids compare as they are, addresses without regard to case. A key `@shop.example` stands for every
user id that is an address of that domain. The newest record of a key decides: a tombstone lifts it,
anything else suppresses.

Theory of operation: a hash of 60 bits stands for each key, as a million of them are to take 70 MB
(measured; the texts would take 150 MB and more). Python's hash of a text is keyed anew in each
process, so nobody can choose keys that collide; by chance two of a million do in one process of a
million. A key of an address may be written in capitals: such spellings are kept apart, so that
lifting one of them does not lift another.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import msgspec

from schemas.decoding import NOT_DECODED

MASK = (1 << 60) - 1  # An int of 60 bits takes 32 bytes, one of 64 takes 48.
AT = "@"


def compared(name: str) -> str:
    """The text by which a user id, or a key of the topic, is compared."""
    return name.casefold() if AT in name else name


class Suppression(msgspec.Struct, omit_defaults=True):
    """The value of a record: why, since when (RFC 3339), and who said so."""

    reason: str = ""
    since: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A record of the topic: its user or domain, and whether it suppresses or lifts."""

    name: str
    is_suppressed: bool


class Keyed(Protocol):
    """A record, as far as it is read here."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class _Object(msgspec.Struct):
    """Of which nothing is read."""


_object = msgspec.json.Decoder(_Object)
_objects = msgspec.json.Decoder(list[_Object])


def change_of(key: bytes | None, value: bytes | None) -> Change | None:
    """None for a record that names nobody."""
    try:
        name = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    return Change(name, value is not None) if name.strip(AT) else None


def odd(values: Sequence[bytes | None]) -> int:
    """How many are not what the contract says; they suppress nevertheless."""
    present = [value for value in values if value is not None]
    with suppress(*NOT_DECODED):
        if len(_objects.decode(b"[%b]" % b",".join(present))) == len(present):
            return 0  # Together they take half the time.
    return sum(map(_is_odd, present))


def _is_odd(value: bytes) -> bool:
    try:
        _object.decode(value)
    except NOT_DECODED:
        return True
    return False


class Suppressions:
    """All that are suppressed now. The follower changes it, others ask."""

    def __init__(self, *, is_known: bool = True) -> None:
        self.is_known = is_known  # False until the topic was read to its end.
        self.is_forbidden = False  # Kafka does not let us read the topic now.
        self._keys: set[int] = set()
        self._spelled: set[int] = set()  # Keys that are not written as they are compared.
        self._of_spelled: dict[int, int] = {}  # How many spellings, by what is compared.
        self._domains = 0  # Of all keys, those of domains.

    def __bool__(self) -> bool:
        return bool(self._keys or self._of_spelled)

    def __len__(self) -> int:
        """How many keys the topic has."""
        return len(self._keys) + len(self._spelled)

    def __contains__(self, user_id: object) -> bool:
        if not isinstance(user_id, str):
            return False
        if AT in user_id:
            return self._has_address(user_id)
        return hash(user_id) & MASK in self._keys

    def has_key(self, name: str) -> bool:
        """Whether a key names it, in whatever case: a user id, or a whole domain."""
        return self._has(compared(name))

    def among(self, user_ids: Sequence[str | None]) -> list[int]:
        """The positions of those that are suppressed; 0.1 µs each."""
        keys, has_address = self._keys, self._has_address
        return [
            at
            for at, user_id in enumerate(user_ids)
            if user_id is not None
            and (has_address(user_id) if AT in user_id else hash(user_id) & MASK in keys)
        ]

    def read(self, records: Iterable[Keyed]) -> int:
        """Take records of the topic, in its order; returns how many named nobody."""
        keys, nobody = self._keys, 0
        for record in records:
            key, value = record.key, record.value
            # Most add an id, or an address, as it is compared: a million of them in 0.3 s.
            if key and value is not None and key.isascii():
                name = key.decode()
                if AT not in name or (name == name.lower() and name[0] != AT):
                    keys.add(hash(name) & MASK)
                    continue
            change = change_of(key, value)
            if change is None:
                nobody += 1
            else:
                self.change(change)
        return nobody

    def change(self, change: Change) -> None:
        name = change.name
        text = compared(name)
        known, number = self._keys if text == name else self._spelled, hash(name) & MASK
        if (number in known) is change.is_suppressed:
            return
        step = 1 if change.is_suppressed else -1
        (known.add if change.is_suppressed else known.remove)(number)
        self._domains += step if name.startswith(AT) else 0
        if known is self._spelled:
            number = hash(text) & MASK
            self._of_spelled[number] = self._of_spelled.get(number, 0) + step
            if not self._of_spelled[number]:
                del self._of_spelled[number]

    def become(self, other: "Suppressions") -> None:
        """Whoever asks this one gets the other's answers from now on; only one of them changes."""
        self.__dict__ = other.__dict__

    def _has_address(self, user_id: str) -> bool:
        text = user_id.casefold()
        if self._has(text):
            return True
        return self._domains > 0 and self._has(text[text.rindex(AT) :])

    def _has(self, text: str) -> bool:
        number = hash(text) & MASK
        return number in self._keys or number in self._of_spelled


NOBODY = Suppressions()
