"""Amplemarket's tasks and their contacts (amplemarket.md#rest-api).

A task that became completed is an event of its contact; the contact's fields are user properties.
There is no list of all contacts: those are read that tasks name, 20 a request.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Raw

from gateway.dialects.moments import milliseconds_of
from gateway.pulls.pull import (
    Answer,
    Api,
    Item,
    Page,
    Pull,
    UnreadableError,
    failure,
)
from schemas.configuration.config import ConfigError
from schemas.strictness import Defect
from schemas.topics import Kind
from schemas.vendors.amplemarket import AmplemarketPull
from schemas.vendors.pull import ConfiguredPull

COMPLETED = b"completed"
EVENT_TYPE = "Amplemarket Task Completed"
PREFIX = "amplemarket_"
PAGE = 100
IDS_MAX = 20
Fields = Mapping[str, Raw]

_object = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)


class _Next(msgspec.Struct):
    href: str | None = None


class _Links(msgspec.Struct):
    next: _Next | None = None


class _Linked(msgspec.Struct):
    links: _Links = msgspec.field(name="_links", default_factory=_Links)


_linked = msgspec.json.Decoder(_Linked)


def pull(configured: ConfiguredPull, _directory: Path) -> Pull:
    if not isinstance(configured, AmplemarketPull):
        raise ConfigError(f"pulls: {configured.name} is none of Amplemarket's")
    return Tasks(configured)


class Tasks:
    sees_gone = False

    def __init__(self, configured: AmplemarketPull) -> None:
        self._reads_tasks = "tasks" in configured.read
        self._reads_contacts = "contacts" in configured.read

    async def page(self, api: Api, cursor: str | None) -> Page:
        query = [("page[size]", str(PAGE))]
        if cursor is not None:
            query.append(("page[after]", cursor))
        answer = await api.get("/tasks", query)
        if answer.status != 200:
            is_lost = cursor is not None and answer.status in (400, 404, 410, 422)
            raise failure(answer, "a page of tasks", is_lost=is_lost)
        tasks = _read_list(answer)
        contacts = await _contacts_of(api, tasks)
        items = [_task(raw, contacts) for raw in tasks] if self._reads_tasks else []
        if self._reads_contacts:
            items += [_contact(id_, raw) for id_, raw in contacts.items()]
        return Page(items, _next_cursor(answer))

    def gone(self, object_id: str) -> None:
        return None


async def _contacts_of(api: Api, tasks: Sequence[bytes]) -> dict[str, bytes]:
    """By id, as far as they are known: an id of a lead list is none of a contact."""
    named = {_member(_fields(raw), "contact_id") for raw in tasks} - {None}
    ids = sorted(id_ for id_ in named if id_)
    found: dict[str, bytes] = {}
    for start in range(0, len(ids), IDS_MAX):
        query = [("ids[]", one) for one in ids[start : start + IDS_MAX]]
        answer = await api.get("/contacts", query)
        if answer.status != 200:
            raise failure(answer, "contacts", is_lost=False)
        for raw in _read_list(answer):
            if id_ := _member(_fields(raw), "id"):
                found[id_] = raw
    return found


def _task(raw: bytes, contacts: Mapping[str, bytes]) -> Item:
    fields = _fields(raw)
    id_ = _member(fields, "id")
    if id_ is None:
        defect = Defect("invalid_task", "id", "a task without an id")
        return Item(f"task:{hashlib.sha256(raw).hexdigest()}", Kind.EVENT, raw, defect)
    status = _member(fields, "status")
    if status is None or status.lower().encode() != COMPLETED:
        return Item(f"task:{id_}", Kind.EVENT, raw, None)
    contact_id = _member(fields, "contact_id")
    user_id = _user_id(contact_id, contacts)
    if user_id is None:
        defect = Defect("missing_id", "contact_id", "the task has no contact")
        return Item(f"task:{id_}", Kind.EVENT, raw, defect, version=COMPLETED)
    event: dict[str, object] = {
        "event_type": EVENT_TYPE,
        "user_id": user_id,
        "event_properties": fields,
    }
    moment = _member(fields, "completed_at") or _member(fields, "updated_at")
    if (time_ms := milliseconds_of(moment)) is not None:
        event["time"] = time_ms
    # It is completed once, whatever is written into it afterwards.
    return Item(f"task:{id_}", Kind.EVENT, raw, msgspec.json.encode(event), version=COMPLETED)


def _contact(id_: str, raw: bytes) -> Item:
    properties = {f"{PREFIX}{name}": value for name, value in _fields(raw).items()}
    user_id = _user_id(id_, {id_: raw})
    record = {"user_id": user_id, "user_properties": {"$set": properties}}
    return Item(f"contact:{id_}", Kind.USER_PROPERTIES, raw, msgspec.json.encode(record))


def _user_id(contact_id: str | None, contacts: Mapping[str, bytes]) -> str | None:
    """The email, else the contact's id."""
    if contact_id is None:
        return None
    return _member(_fields(contacts.get(contact_id, b"{}")), "email") or contact_id


def _fields(raw: bytes) -> Fields:
    try:
        return _object.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _member(fields: Fields, name: str) -> str | None:
    """A text that is not blank; a number as its digits."""
    raw = bytes(fields.get(name, b""))
    if raw.isdigit():
        return raw.decode()
    try:
        return _text.decode(raw).strip() or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _read_list(answer: Answer) -> list[bytes]:
    """The one array of the body: it stands under the resource's name, or under `data`."""
    try:
        members = _object.decode(answer.body)
        arrays = [raw for raw in members.values() if bytes(raw).startswith(b"[")]
        if len(arrays) == 1:
            return [bytes(raw) for raw in _list.decode(arrays[0])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"a page of Amplemarket's: {error}") from error
    raise UnreadableError(f"a page of Amplemarket's with {len(arrays)} lists")


def _next_cursor(answer: Answer) -> str | None:
    try:
        found = _linked.decode(answer.body).links.next
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    href = None if found is None else found.href
    return None if not href else parse_qs(urlsplit(href).query).get("page[after]", [None])[0]
