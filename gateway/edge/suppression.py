"""Suppressed users: none of their records is stored, not even as a dead letter."""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

import msgspec

from gateway.dialects.shapes import LISTED_MAX, Batch, Rejection
from schemas.records import NewRecord
from schemas.strictness import Defect
from schemas.suppressions import Suppressions
from schemas.topics import Kind

_DEFECT = Defect("suppressed", "user_id", "nothing is accepted for this user")
# A string without an end takes all the rest: else each of its quotes would start a search.
_WORD = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^\s",:{}\[\]]++', re.DOTALL)
# Of what is rejected in one request; they are looked at in 0.1 to 0.4 s. A letter has 100 or so.
WORDS_MAX = 100_000
TURN_WORDS, TURN_RECORDS = 1_000, 5_000  # Looked at together, in 1 to 4 ms.
Turn = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """All that are suppressed here: by this edge's configuration, and in the topic for all."""

    listed: frozenset[str]
    followed: Suppressions

    def __bool__(self) -> bool:
        """Whether records have to be looked at."""
        return bool(self.listed or self.followed) or not self.followed.is_known

    def concerns(self, batch: Batch, kind: Kind) -> bool:
        """Whether there may be one of them in the batch."""
        if not self.followed.is_known:
            return True
        if not (self.listed or self.followed):
            return False
        return bool(batch.rejected) or any(self.has(record, kind) for record in batch.records)

    def names(self, text: str) -> bool:
        return text in self.listed or text in self.followed

    def has(self, record: NewRecord, kind: Kind) -> bool:
        """Whether it is a record of one of them. A record's key is its user's id, if it has one."""
        if record.key is None:
            return False
        key = record.key.decode("utf-8", "replace")
        if key in self.listed:
            return True
        if kind is Kind.GROUP_PROPERTIES or key not in self.followed:
            return False
        return _has_user(record.value)  # Else the key is a device's id.


async def without_suppressed(batch: Batch, suppressed: Suppressed, kind: Kind, turn: Turn) -> Batch:
    """The batch with their records rejected, and without any bytes of them.

    A record rejected before has no key: it is left out if one of them is named anywhere in it, and
    has no bytes if that is not known, as there is too much to look at.
    """
    kept = Batch()
    for position, record in enumerate(batch.records):
        if position % TURN_RECORDS == TURN_RECORDS - 1:
            await turn()
        receipt = batch.receipt_of(position)
        if suppressed.has(record, kind):
            kept.rejected.append(Rejection(receipt[0], _DEFECT, b""))
            continue
        kept.records.append(record)
        if batch.receipts:
            kept.receipts.append(receipt)
    search = _Search(suppressed, turn)
    for number, rejection in enumerate(batch.rejected):
        named = await search.finds_one(rejection.value) if number < LISTED_MAX else None
        defect = _DEFECT if named else rejection.defect
        value = rejection.value if named is False else b""
        kept.rejected.append(replace(rejection, defect=defect, value=value))
    kept.rejected.sort(key=lambda rejection: rejection.index)
    return kept


async def without_theirs(
    records: Sequence[NewRecord], suppressed: Suppressed, kind: Kind | None, turn: Turn
) -> list[NewRecord]:
    """The records without theirs; those without a kind are dead letters, judged as above."""
    kept, search = [], _Search(suppressed, turn)
    for position, record in enumerate(records):
        if position % TURN_RECORDS == TURN_RECORDS - 1:
            await turn()
        if kind is None:
            is_theirs = await search.finds_one(record.value) is not False
        else:
            is_theirs = suppressed.has(record, kind)
        if not is_theirs:
            kept.append(record)
    return kept


def is_suppressed(rejection: Rejection) -> bool:
    return rejection.defect is _DEFECT


class _User(msgspec.Struct):
    user_id: msgspec.Raw = msgspec.Raw(b"null")


_user = msgspec.json.Decoder(_User)


def _has_user(value: bytes) -> bool:
    return bytes(_user.decode(value).user_id) not in (b"null", b'""')


@dataclass(slots=True)
class _Search:
    """Looks for suppressed users in the texts of one request."""

    suppressed: Suppressed
    turn: Turn
    left: int = WORDS_MAX
    in_turn: int = 0

    async def finds_one(self, text: bytes) -> bool | None:
        """Whether one is named; None if it has more words than are looked at."""
        words = _WORD.finditer(text)
        while some := [found[0] for found in islice(words, min(self.left, TURN_WORDS))]:
            self.left -= len(some)
            self.in_turn += len(some)
            if self.in_turn >= TURN_WORDS:
                self.in_turn = 0
                await self.turn()
            if any(self.suppressed.names(_said(word)) for word in set(some)):
                return True
        return None if next(words, None) else False


def _said(word: bytes) -> str:
    if b"\\" in word:
        with suppress(ValueError):
            return str(json.loads(word))
    return word.decode("utf-8", "replace").strip('"')
