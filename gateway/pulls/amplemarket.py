"""Amplemarket's tasks and contacts (amplemarket.md#rest-api).

A task that became completed is an event of its contact; the contact's fields are user properties.
There is no list of all contacts: those are read that tasks name, 20 a request, and then those that
webhooks named since the last run.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from gateway.dialects.moments import milliseconds_of
from gateway.pulls.amplemarket_lists import fields_of, is_own_error, member, page_of, read_list
from gateway.pulls.pull import (
    Answer,
    Api,
    Item,
    Page,
    Pull,
    cursor_of,
    failure,
    object_id_of,
    place_of,
)
from gateway.pulls.webhooks import Webhooks
from schemas.configuration.config import ConfigError
from schemas.strictness import Defect
from schemas.topics import Kind
from schemas.vendors.amplemarket import AmplemarketPull
from schemas.vendors.pull import ConfiguredPull

COMPLETED = b"completed"
EVENT_TYPE = "Amplemarket Task Completed"
PREFIX = "amplemarket_"
IDS_MAX = 20
ID_CHARACTERS_MAX = 256  # Of an id in an address: 20 of them are less than the 8 kB of servers.
BLAMED = (400, 414, 422)  # May be the answer to a single id.


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a run is: in the list of tasks, then in what webhooks named."""

    after: str | None = None
    heard: dict[int, int] = {}  # By partition, up to where webhooks were read.
    is_listening: bool = False


_place = msgspec.json.Decoder(Place)


def pull(configured: ConfiguredPull, _directory: Path, webhooks: Webhooks) -> Pull:
    if not isinstance(configured, AmplemarketPull):
        raise ConfigError(f"pulls: {configured.name} is none of Amplemarket's")
    return Tasks(configured, webhooks)


class Tasks:
    sees_gone = False

    def __init__(self, configured: AmplemarketPull, webhooks: Webhooks) -> None:
        self._reads_tasks = "tasks" in configured.read
        self._reads_contacts = "contacts" in configured.read
        self._webhooks = webhooks

    async def page(self, api: Api, cursor: str | None) -> Page:
        place = Place() if cursor is None else place_of(_place, cursor)
        if place.is_listening:
            return await self._named(api, place)
        tasks, after = await page_of(api, "/tasks", place.after, "a page of tasks")
        named = [member(fields_of(raw), "contact_id") for raw in tasks]
        contacts = await _contacts_of(api, [id_ for id_ in named if id_ is not None])
        items = [_task(raw, contacts) for raw in tasks] if self._reads_tasks else []
        if self._reads_contacts:
            items += [_contact(id_, raw) for id_, raw in contacts.items()]
        if after is not None:
            return Page(items, cursor_of(replace(place, after=after)))
        if not self._reads_contacts:
            return Page(items, None)
        return Page(items, cursor_of(Place(heard=place.heard, is_listening=True)))

    async def _named(self, api: Api, place: Place) -> Page:
        named = await self._webhooks.named(place.heard)
        contacts = await _contacts_of(api, named.ids)
        items = [_contact(id_, raw) for id_, raw in contacts.items()]
        following = Place(heard=dict(named.positions), is_listening=not named.is_all)
        if named.is_all:
            return Page(items, None, start=cursor_of(following))
        return Page(items, cursor_of(following))

    def gone(self, object_id: str) -> None:
        return None


class Refused:
    """In place of a contact: the API refuses its id."""


Contact = bytes | Refused | None  # None: nobody knows it, as an id of a lead list is none.


async def _contacts_of(api: Api, named: Iterable[str]) -> dict[str, Contact]:
    """By id."""
    found: dict[str, Contact] = {}
    ids = []
    for id_ in sorted(set(named)):
        if len(quote(id_, safe="")) <= ID_CHARACTERS_MAX:
            ids.append(id_)
        else:  # A server would refuse the whole request: the address is too long.
            found[id_] = Refused()
    for start in range(0, len(ids), IDS_MAX):
        asked = ids[start : start + IDS_MAX]
        answers = await _asked(api, asked)
        refused = [answer for answer in answers.values() if isinstance(answer, Answer)]
        if len(refused) == len(asked) > 1:  # It is no single id's fault.
            raise failure(refused[0], "contacts", is_lost=False)
        for id_, answer in answers.items():
            found[id_] = Refused() if isinstance(answer, Answer) else answer
    return found


async def _asked(api: Api, ids: list[str]) -> dict[str, bytes | Answer | None]:
    """Of each id its contact; halved until an id that is refused is alone."""
    answer = await api.get("/contacts", [("ids[]", one) for one in ids])
    if answer.status in BLAMED and is_own_error(answer):
        if len(ids) == 1:
            return {ids[0]: answer}
        half = len(ids) // 2
        return await _asked(api, ids[:half]) | await _asked(api, ids[half:])
    if answer.status != 200:
        raise failure(answer, "contacts", is_lost=False)
    known = {member(fields_of(raw), "id"): raw for raw in read_list(answer, "contacts")}
    return {id_: known.get(id_) for id_ in ids}


def _task(raw: bytes, contacts: Mapping[str, Contact]) -> Item:
    fields = fields_of(raw)
    id_ = member(fields, "id")
    if id_ is None:
        defect = Defect("invalid_task", "id", "a task without an id")
        return Item(f"task:{hashlib.sha256(raw).hexdigest()}", Kind.EVENT, raw, defect)
    object_id = f"task:{object_id_of(id_)}"
    status = member(fields, "status")
    if status is None or status.lower().encode() != COMPLETED:
        return Item(object_id, Kind.EVENT, raw, None)
    contact_id = member(fields, "contact_id")
    user_id = _user_id(contact_id, contacts)
    if user_id is None:
        defect = Defect("missing_id", "contact_id", "the task has no contact")
        return Item(object_id, Kind.EVENT, raw, defect, version=COMPLETED)
    event: dict[str, object] = {
        "event_type": EVENT_TYPE,
        "user_id": user_id,
        "event_properties": fields,
    }
    moments = [milliseconds_of(member(fields, name)) for name in ("completed_at", "updated_at")]
    # Some write the year 1 where there is none.
    if times := [time_ms for time_ms in moments if time_ms is not None and time_ms > 0]:
        event["time"] = times[0]
    # It is completed once, whatever is written into it afterwards.
    return Item(object_id, Kind.EVENT, raw, msgspec.json.encode(event), version=COMPLETED)


def _contact(id_: str, raw: Contact) -> Item:
    object_id = f"contact:{object_id_of(id_)}"
    if not isinstance(raw, bytes):
        asked = msgspec.json.encode({"id": id_})
        defect = Defect("refused_id", "id", "Amplemarket refuses the contact's id")
        return Item(object_id, Kind.USER_PROPERTIES, asked, None if raw is None else defect)
    properties = {f"{PREFIX}{name}": value for name, value in fields_of(raw).items()}
    user_id = _user_id(id_, {id_: raw})
    record = {"user_id": user_id, "user_properties": {"$set": properties}}
    return Item(object_id, Kind.USER_PROPERTIES, raw, msgspec.json.encode(record))


def _user_id(contact_id: str | None, contacts: Mapping[str, Contact]) -> str | None:
    """The email, else the contact's id."""
    if contact_id is None:
        return None
    contact = contacts.get(contact_id)
    email = member(fields_of(contact), "email") if isinstance(contact, bytes) else None
    return email or contact_id
