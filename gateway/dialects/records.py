"""Builds records from values: the key, and what the edge fills in. Pure."""

from collections.abc import Iterable
from functools import lru_cache

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from gateway.dialects.insert_ids import new_insert_id
from gateway.dialects.shapes import Batch, Context, Opened, Rejection
from gateway.dialects.trees import room_for_members
from schemas.events import (
    EventFacts,
    GroupFacts,
    IdentificationFacts,
    event_key,
    group_key,
    identification_key,
    read_event,
    read_events,
    read_group_identification,
    read_identification,
    read_identifications,
)
from schemas.records import NewRecord
from schemas.several import AT_ONCE
from schemas.splicing import with_members, without
from schemas.strictness import Defect
from schemas.topics import Kind

_QUOTED = {name: b'"%b"' % name.encode() for name in ("insert_id", "time", "ip")}
_REMOTE_IP = b'"ip":"$remote"'
Facts = EventFacts | IdentificationFacts | GroupFacts


class _Ip(msgspec.Struct, gc=False):
    ip: str


_ip_reader = msgspec.json.Decoder(_Ip)


class Translated:
    """Events that values were translated to: some are read together, and added in their order."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._unread: list[tuple[int, bytes, bytes | Defect, Context, int]] = []

    def add(
        self, index: int, value: bytes, event: bytes | Defect, context: Context, filled: int = 0
    ) -> None:
        """So many bytes of the event have their room already."""
        self._unread.append((index, value, event, context, filled))
        if len(self._unread) >= AT_ONCE:
            self.read()

    def add_read(
        self,
        index: int,
        value: bytes,
        event: bytes,
        facts: EventFacts | Defect,
        context: Context,
        filled: int,
    ) -> None:
        """An event whose facts are known."""
        if self._unread:
            self.read()
        _add_read(self._batch, index, value, event, facts, context, filled)

    def read(self) -> None:
        """Add to the batch what was not yet."""
        unread, self._unread = self._unread, []
        facts = iter(read_events([one[2] for one in unread if isinstance(one[2], bytes)]))
        for index, value, event, context, filled in unread:
            if isinstance(event, bytes):
                _add_read(self._batch, index, value, event, next(facts), context, filled)
            else:
                self._batch.rejected.append(Rejection(index, event, value))


def add_event(
    batch: Batch, index: int, value: bytes, event: bytes | Defect, context: Context
) -> None:
    """Add the event that a value was translated to, or reject the value."""
    translated = Translated(batch)
    translated.add(index, value, event, context)
    translated.read()


def _add_read(
    batch: Batch,
    index: int,
    value: bytes,
    event: bytes,
    facts: EventFacts | Defect,
    context: Context,
    filled: int,
) -> None:
    if isinstance(facts, Defect):
        batch.rejected.append(Rejection(index, facts, value))
        return
    record, insert_id = record_of(event, facts, context)
    context.room.fill(max(0, len(record.value) - filled))
    batch.records.append(record)
    batch.receipts.append((index, insert_id))


def read_facts(kind: Kind, value: bytes) -> Facts | Defect:
    if kind is Kind.EVENT:
        return read_event(value)
    if kind is Kind.USER_PROPERTIES:
        return read_identification(value)
    return read_group_identification(value)


def all_facts(kind: Kind, opened: Opened) -> Iterable[Facts | Defect]:
    """Of each value, in order."""
    if opened.well_formed and kind is Kind.EVENT:
        return read_events(opened.values)
    if opened.well_formed and kind is Kind.USER_PROPERTIES:
        return read_identifications(opened.values)
    return (read_facts(kind, value) for value in opened.values)


def key_of(facts: Facts) -> bytes | None:
    key: str | None
    if isinstance(facts, EventFacts):
        if facts.user_id is not None:
            return facts.user_id.encode()
        key = event_key(facts)
    elif isinstance(facts, IdentificationFacts):
        key = identification_key(facts)
    else:
        key = group_key(facts)
    return None if key is None else key.encode()


def record_of(value: bytes, facts: Facts, context: Context) -> tuple[NewRecord, str]:
    """The record and its insert_id: the value byte for byte, plus what the edge fills in."""
    insert_id = facts.insert_id
    if insert_id and facts.time is not None:
        located = _located(value, facts, context)
        if located is not None:
            return NewRecord(key_of(facts), located, context.headers), insert_id
    elif _has_nothing_to_replace(value, facts, context):
        shown = context.remote_ip if isinstance(facts, EventFacts) else None
        filled = _time_and_ip(context.now_ms, shown)
        if insert_id is None:
            insert_id = new_insert_id()
            filled = b'"insert_id":"%b",%b' % (insert_id.encode(), filled)
        return NewRecord(key_of(facts), with_members(value, filled), context.headers), insert_id
    members: list[bytes] = []
    nulls: list[str] = []
    if not insert_id:  # With an empty one, all events of a device would be duplicates.
        insert_id = new_insert_id()
        members.append(b'"insert_id":"%b"' % insert_id.encode())
        nulls.append("insert_id")
    if facts.time is None:
        members.append(b'"time":%d' % context.now_ms)
        nulls.append("time")
    if isinstance(facts, EventFacts):
        _ip(facts.ip, context, members, nulls)
    elif not context.keeps_ip:
        nulls.append("ip")
    # A member that is `null`, empty, or that the source may not keep is replaced.
    escaped = b"\\u00" in value  # Its name may be escaped.
    standing = [name for name in nulls if escaped or _QUOTED[name] in value]
    if standing:
        with room_for_members(value, context):
            value = without(value, *standing)
    if members:
        value = with_members(value, b",".join(members))
    return NewRecord(key_of(facts), value, context.headers), insert_id


def _has_nothing_to_replace(value: bytes, facts: Facts, context: Context) -> bool:
    """Whether it has none of what the edge fills in or takes out, not even as `null`."""
    if facts.time is not None or facts.insert_id == "":
        return False
    if isinstance(facts, EventFacts):
        has_no_ip = facts.ip is UNSET
    else:
        has_no_ip = context.keeps_ip or _QUOTED["ip"] not in value
    return (
        has_no_ip
        and (facts.insert_id is not None or b'"insert_id"' not in value)
        and b'"time"' not in value
        and b"\\u00" not in value  # A name may be escaped.
    )


@lru_cache(maxsize=64)  # Of all events of a request it is the same.
def _time_and_ip(now_ms: int, shown: str | None) -> bytes:
    return b'"time":%d' % now_ms + (b"" if shown is None else b"," + _ip_member(shown))


def _located(value: bytes, facts: Facts, context: Context) -> bytes | None:
    """The value with its ip, if no member has to be replaced; else None."""
    if not isinstance(facts, EventFacts):  # An update has no use for an address.
        has_none = _QUOTED["ip"] not in value and b"\\u00" not in value
        return value if context.keeps_ip or has_none else None
    if facts.ip is None:
        return None
    if facts.ip is UNSET:
        shown = context.remote_ip
        return value if shown is None else with_members(value, _ip_member(shown))
    if facts.ip == "$remote":
        return _with_remote_ip(value, context.remote_ip)
    return value if context.keeps_ip else None


def _with_remote_ip(value: bytes, shown: str | None) -> bytes | None:
    """Replace `$remote`, as browsers' SDKs write it: a tenth of the time of parsing the object."""
    if shown is None or value.count(_REMOTE_IP) != 1:
        return None
    placed = value.replace(_REMOTE_IP, _ip_member(shown))
    # The match may be a property of that name.
    return placed if _ip_reader.decode(placed).ip == shown else None


def _ip(
    ip: str | UnsetType | None, context: Context, members: list[bytes], nulls: list[str]
) -> None:
    if ip is None or ip is UNSET or ip == "$remote":
        shown = context.remote_ip
    elif context.keeps_ip:
        return
    else:
        shown = context.shown_ip(ip)
    if ip is not UNSET:
        nulls.append("ip")
    if shown is not None:
        members.append(_ip_member(shown))


@lru_cache(maxsize=1_024)  # All events of a request have the same sender.
def _ip_member(ip: str) -> bytes:
    return b'"ip":' + orjson.dumps(ip)
