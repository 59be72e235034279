"""What an object becomes: a record, checked as the edge checks it, or a dead letter. Pure."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from gateway.dialects.records import key_of, read_facts
from gateway.pulls.fingerprints import version_of
from gateway.pulls.journal import Standing
from gateway.pulls.pull import SUPPRESSION, Item, Lift, Suppress
from gateway.pulls.suppressing import Suppressing
from schemas.letters import timestamp
from schemas.records import Headers, NewRecord, RawRecord
from schemas.splicing import with_members
from schemas.strictness import Defect
from schemas.topics import Kind

Fits = Callable[[Kind, NewRecord], bool]  # Whether the topic of that kind takes the record.


class Made(NamedTuple):
    """What an item became: a record for its topic, or a dead letter."""

    item: Item
    version: bytes
    record: NewRecord | RawRecord | None  # A `RawRecord` suppresses, or lifts.
    defect: Defect | None


class Maker:
    def __init__(self, pull: str, headers: Headers, suppressing: Suppressing, fits: Fits) -> None:
        self._pull = pull
        self._headers = headers
        self._suppressing = suppressing
        self._fits = fits

    def made(self, item: Item, version: bytes, standing: Standing) -> Made:
        value = item.record
        if isinstance(value, Suppress):
            since = value.since or timestamp(standing.began)
            suppression = self._suppressing.record(value.name, value.reason, since)
            return Made(item, version, suppression, None)
        if isinstance(value, Lift):
            return Made(item, version, RawRecord(value.name.encode(), None, ()), None)
        if not isinstance(value, bytes):
            return Made(item, version, None, value)
        assert item.kind != SUPPRESSION, "a suppression is no record of a user"
        facts = read_facts(item.kind, value)
        if isinstance(facts, Defect):
            return Made(item, version, None, facts)
        insert_id = _insert_id(self._pull, item.object_id, standing.run, version)
        members = b'"insert_id":"%b"' % insert_id.encode()
        if facts.time is None:
            members += b',"time":%d' % int(standing.began * 1000)
        record = NewRecord(key_of(facts), with_members(value, members), self._headers)
        if not self._fits(item.kind, record):
            return Made(item, version, None, Defect("too_large", "", "Kafka takes none so large"))
        return Made(item, version, record, None)


def version_of_item(item: Item) -> bytes:
    if item.version is not None:
        return version_of(item.version)
    return version_of(item.record if isinstance(item.record, bytes) else item.original)


def _insert_id(pull: str, object_id: str, run: int, version: bytes) -> str:
    """The run is in it: a value that comes back later is another update of the same object."""
    text = f"{pull}\0{object_id}\0{run}\0{version.hex()}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
