"""Suppressed users: none of their records is stored, not even as a dead letter. Pure."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec

from gateway.dialects.shapes import Batch, Rejection
from schemas.records import NewRecord
from schemas.strictness import Defect
from schemas.suppressions import Suppressions
from schemas.topics import Kind

_DEFECT = Defect("suppressed", "user_id", "nothing is accepted for this user")
# A string without an end takes all the rest: else each of its quotes would start a search.
_WORD = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^\s",:{}\[\]]++', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Suppressed:
    """All that are suppressed here: by this edge's configuration, and in the topic for all."""

    listed: frozenset[str]
    followed: Suppressions

    def __bool__(self) -> bool:
        """Whether records have to be looked at."""
        return bool(self.listed or self.followed) or not self.followed.is_known

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


def without_suppressed(batch: Batch, suppressed: Suppressed, kind: Kind) -> Batch:
    """The batch with their records rejected, and without any bytes of them.

    A record rejected before has no key: it is left out if one of them is named anywhere in it.
    """
    kept = Batch()
    for position, record in enumerate(batch.records):
        receipt = batch.receipts[position] if batch.receipts else (position, "")
        if suppressed.has(record, kind):
            kept.rejected.append(Rejection(receipt[0], _DEFECT, b""))
            continue
        kept.records.append(record)
        if batch.receipts:
            kept.receipts.append(receipt)
    for rejection in batch.rejected:
        named = _names_one(rejection.value, suppressed)
        kept.rejected.append(replace(rejection, defect=_DEFECT, value=b"") if named else rejection)
    kept.rejected.sort(key=lambda rejection: rejection.index)
    return kept


def is_suppressed(rejection: Rejection) -> bool:
    return rejection.defect is _DEFECT


class _User(msgspec.Struct):
    user_id: msgspec.Raw = msgspec.Raw(b"null")


_user = msgspec.json.Decoder(_User)


def _has_user(value: bytes) -> bool:
    return bytes(_user.decode(value).user_id) not in (b"null", b'""')


def _names_one(value: bytes, suppressed: Suppressed) -> bool:
    for found in _WORD.finditer(value):
        word = found[0]
        text = word.decode("utf-8", "replace").strip('"')
        if b"\\" in word:
            with suppress(ValueError):
                text = json.loads(word)
        if suppressed.names(text):
            return True
    return False
