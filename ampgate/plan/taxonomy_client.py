"""Asks Amplitude's taxonomy, within its budget (amplitude-read.md#taxonomy).

A GET costs 1 and the others 2, 7,200 an hour; at most 4 at once, so reads go four at a time and
writes one after the other.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ampgate.amplitude_read.client import ReadClient
from ampgate.amplitude_read.exchange import Answer, Asked
from ampgate.amplitude_read.spending import TAXONOMY
from ampgate.errors import CommandError
from ampgate.plan.observed import Json
from ampgate.plan.taxonomy import Found, event_of, plan_of

ROOT = "/api/2/taxonomy"
READ_COST, WRITE_COST = 1, 2
NOT_FOUND, NO_PLAN, CONFLICT = 400, 404, 409
Form = Sequence[tuple[str, str]]


class Taxonomy:
    def __init__(self, client: ReadClient, on_progress: Callable[[int, int], None]) -> None:
        self._client = client
        self._on_progress = on_progress  # So many event types of so many.

    async def plan(self) -> Json:
        """All of the taxonomy; deleted and hidden types and properties are marked."""
        events = await self._list("event")
        live = {str(one["event_type"]) for one in await self._list("event", deleted=False)}
        done = 0

        async def read(event: Mapping[str, Any]) -> tuple[str, Json]:
            nonlocal done
            name = str(event["event_type"])
            properties = await self._list("event-property", ("event_type", name))
            done += 1
            self._on_progress(done, len(events))
            is_deleted = name not in live or event.get("deleted") is True
            return name, event_of({**event, "deleted": is_deleted}, properties)

        found = await asyncio.gather(*(read(event) for event in events))
        users, groups = await self._list("user-property"), await self._list("group-property")
        return plan_of(dict(found), users, groups)

    async def add(self, resource: str, fields: Form) -> bool:
        """Whether it was added; False if it is there already, perhaps deleted or hidden."""
        asked = Asked(f"{ROOT}/{resource}", form=fields)
        its = (NOT_FOUND, NO_PLAN, CONFLICT)
        answer = await self._client.ask(asked, TAXONOMY, WRITE_COST, its=its)
        if answer.status == CONFLICT:
            return False
        _succeeded(asked.path, answer)
        return True

    async def _list(self, resource: str, *query: tuple[str, str], deleted: bool = True) -> Found:
        shown = (*query, ("showDeleted", "true")) if deleted else query
        asked = Asked(f"{ROOT}/{resource}", query=shown)
        answer = await self._client.ask(asked, TAXONOMY, READ_COST, its=(NOT_FOUND, NO_PLAN))
        if answer.status == NOT_FOUND and query:  # As it says of an event type without properties.
            return ()
        data = _succeeded(asked.path, answer).get("data")
        name = "event_type" if resource == "event" else resource.replace("-", "_")
        # What has no name cannot be planned.
        listed = data if isinstance(data, list) else ()
        return [one for one in listed if isinstance(one, dict) and one.get(name)]


def _succeeded(path: str, answer: Answer) -> Json:
    """The object of a success; `CommandError` says what the taxonomy says."""
    if answer.status == NO_PLAN:
        raise CommandError(
            f"{path}: 404: Amplitude has the taxonomy in its Enterprise plan only, or not this one"
        )
    try:
        said = msgspec.json.decode(answer.body, type=Json)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not answered by JSON") from error
    if said.get("success") is not True:
        words = _words(said) or "it did not succeed, and Amplitude gives no reason"
        raise CommandError(f"{path}: {words}")
    return said


def _words(said: Json) -> str:
    errors = said.get("errors")
    listed = errors if isinstance(errors, list) else []
    found = [one.get("message") for one in listed if isinstance(one, dict)]
    return "; ".join(str(one) for one in found if one)[:300]
