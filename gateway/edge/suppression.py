"""Suppressed users: none of their records is stored, not even as a dead letter. Pure."""

import json
import re
from contextlib import suppress
from dataclasses import replace

from gateway.dialects.shapes import Batch, Rejection
from schemas.strictness import Defect

_DEFECT = Defect("suppressed", "user_id", "nothing is accepted for this user")
# A string without an end takes all the rest: else each of its quotes would start a search.
_WORD = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^\s",:{}\[\]]++', re.DOTALL)


def without_suppressed(batch: Batch, suppressed: frozenset[str]) -> Batch:
    """The batch with their records rejected, and without any bytes of them.

    A record's key is its user's id in every dialect. A record rejected before has no key: it is
    left out if one of the ids is anywhere in it.
    """
    kept = Batch()
    for position, record in enumerate(batch.records):
        receipt = batch.receipts[position] if batch.receipts else (position, "")
        if record.key is not None and record.key.decode("utf-8", "replace") in suppressed:
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


def _names_one(value: bytes, suppressed: frozenset[str]) -> bool:
    for found in _WORD.finditer(value):
        word = found[0]
        text = word.decode("utf-8", "replace").strip('"')
        if b"\\" in word:
            with suppress(ValueError):
                text = json.loads(word)
        if text in suppressed:
            return True
    return False
