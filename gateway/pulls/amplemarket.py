"""Amplemarket's tasks and their contacts (amplemarket.md#rest-api).

A task that became completed is an event of its contact; the contact's fields are user properties.
There is no list of all contacts: those are read that tasks name, 20 a request.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gateway.dialects.moments import milliseconds_of
from gateway.pulls.amplemarket_lists import fields_of, member, page_of, read_list
from gateway.pulls.pull import (
    Api,
    Item,
    Page,
    Pull,
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
IDS_MAX = 20


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
        tasks, following = await page_of(api, "/tasks", cursor, "a page of tasks")
        contacts = await _contacts_of(api, tasks)
        items = [_task(raw, contacts) for raw in tasks] if self._reads_tasks else []
        if self._reads_contacts:
            items += [_contact(id_, raw) for id_, raw in contacts.items()]
        return Page(items, following)

    def gone(self, object_id: str) -> None:
        return None


async def _contacts_of(api: Api, tasks: Sequence[bytes]) -> dict[str, bytes]:
    """By id, as far as they are known: an id of a lead list is none of a contact."""
    named = {member(fields_of(raw), "contact_id") for raw in tasks} - {None}
    ids = sorted(id_ for id_ in named if id_)
    found: dict[str, bytes] = {}
    for start in range(0, len(ids), IDS_MAX):
        query = [("ids[]", one) for one in ids[start : start + IDS_MAX]]
        answer = await api.get("/contacts", query)
        if answer.status != 200:
            raise failure(answer, "contacts", is_lost=False)
        for raw in read_list(answer):
            if id_ := member(fields_of(raw), "id"):
                found[id_] = raw
    return found


def _task(raw: bytes, contacts: Mapping[str, bytes]) -> Item:
    fields = fields_of(raw)
    id_ = member(fields, "id")
    if id_ is None:
        defect = Defect("invalid_task", "id", "a task without an id")
        return Item(f"task:{hashlib.sha256(raw).hexdigest()}", Kind.EVENT, raw, defect)
    status = member(fields, "status")
    if status is None or status.lower().encode() != COMPLETED:
        return Item(f"task:{id_}", Kind.EVENT, raw, None)
    contact_id = member(fields, "contact_id")
    user_id = _user_id(contact_id, contacts)
    if user_id is None:
        defect = Defect("missing_id", "contact_id", "the task has no contact")
        return Item(f"task:{id_}", Kind.EVENT, raw, defect, version=COMPLETED)
    event: dict[str, object] = {
        "event_type": EVENT_TYPE,
        "user_id": user_id,
        "event_properties": fields,
    }
    moment = member(fields, "completed_at") or member(fields, "updated_at")
    if (time_ms := milliseconds_of(moment)) is not None:
        event["time"] = time_ms
    # It is completed once, whatever is written into it afterwards.
    return Item(f"task:{id_}", Kind.EVENT, raw, msgspec.json.encode(event), version=COMPLETED)


def _contact(id_: str, raw: bytes) -> Item:
    properties = {f"{PREFIX}{name}": value for name, value in fields_of(raw).items()}
    user_id = _user_id(id_, {id_: raw})
    record = {"user_id": user_id, "user_properties": {"$set": properties}}
    return Item(f"contact:{id_}", Kind.USER_PROPERTIES, raw, msgspec.json.encode(record))


def _user_id(contact_id: str | None, contacts: Mapping[str, bytes]) -> str | None:
    """The email, else the contact's id."""
    if contact_id is None:
        return None
    return member(fields_of(contacts.get(contact_id, b"{}")), "email") or contact_id
