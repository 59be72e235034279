"""Contacts that webhooks name: found among all events, and read like those that tasks name."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.amplemarket import event_of
from gateway.dialects.shapes import Context
from gateway.pulls.pull import Answer, Item, RefusedError
from gateway.pulls.webhooks import Named, Positions, contacts_of
from schemas.strictness import Defect
from tests.unit.gateway.calls import ROOM
from tests.unit.gateway.pulls.systems import Answering, Silent, tasks

LISTENING = '{"is_listening":true}'
ODD: Sequence[object] = (None, [], "c", {}, {"id": None}, {"id": " "}, {"id": "x" * 2_000})
CONTEXT = Context([], 1000, None, lambda _: None, keeps_ip=False, room=ROOM)


class Heard(Silent):
    """Webhooks named these."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = list(ids)
        self.since: list[Positions] = []

    async def named(self, since: Positions) -> Named:
        self.since.append(since)
        return Named(self._ids, {0: 5, 1: 7}, is_all=True)


class Contacts(Answering):
    """Knows some ids, and refuses others."""

    def __init__(self, known: Sequence[str], refused: Sequence[str] = ()) -> None:
        super().__init__()
        self._known, self._refused = known, refused

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Answer:
        self.asked.append((path, query))
        ids = [value for _, value in query]
        if any(id_ in self._refused for id_ in ids):
            return Answer(422, {}, b'{"_errors":[{"code":"unsupported_value"}]}')
        found = [{"id": id_, "email": f"{id_}@b.c"} for id_ in ids if id_ in self._known]
        return Answer(200, {}, json.dumps({"contacts": found, "_links": {}}).encode())


def stage(contact: object, **members: object) -> bytes:
    """What the edge makes of a webhook."""
    webhook = {"id": "w", "is_reply": False, "from": "a@b.c", "contact": contact, **members}
    event = event_of(json.dumps(webhook).encode(), CONTEXT)
    assert isinstance(event, bytes)
    return event


def test_the_contacts_of_webhooks_are_found_once_each_among_other_events() -> None:
    others = [
        *(None, b"", b"no JSON", b"{}", b'{"event_type":"Bought","user_id":"u"}'),
        b'{"event_type":"Amplemarket ","event_properties":{"contact":{"id":"forged"}}}',
        b'{"event_type":"x \\"Amplemarket ","event_properties":{"contact":{"id":"quoted"}}}',
        b'{"event_type":"Amplemarket Email Sent","event_properties":{"contact":{"id":7}}}',
        *map(stage, ODD),
    ]
    named = [stage({"id": "c1"}), stage({"id": " c2 "}), stage({"id": "c1"}, is_reply=True)]
    assert contacts_of([*others, *named]) == ["c1", "c2"]


@given(st.lists(st.binary() | st.builds(lambda text: b'"Amplemarket ' + text, st.binary())))
def test_any_bytes_name_nobody_and_raise_nothing(values: list[bytes]) -> None:
    assert contacts_of(values) == []


async def items(ids: Sequence[str], api: Contacts) -> Sequence[Item]:
    page = await tasks(Heard(ids)).page(api, LISTENING)
    assert page.cursor is None
    return page.items


async def test_contacts_are_read_twenty_a_request_and_the_next_run_begins_after_them() -> None:
    ids = [f"c{n:02}" for n in range(45)]
    api, heard = Contacts(ids), Heard(ids)
    pull = tasks(heard)
    page = await pull.page(api, LISTENING)
    assert [len(query) for _, query in api.asked] == [20, 20, 5]
    assert [item.object_id for item in page.items] == [f"contact:{id_}" for id_ in ids]

    assert page.start == '{"heard":{"0":5,"1":7}}'
    following = await pull.page(Answering(Answer(200, {}, b'{"tasks":[]}')), page.start)
    assert following.cursor is not None
    await pull.page(api, following.cursor)
    assert heard.since == [{}, {0: 5, 1: 7}]


async def test_a_contact_that_nobody_knows_is_counted_as_skipped() -> None:
    [known, unknown] = await items(["a", "b"], Contacts(["a"]))
    assert isinstance(known.record, bytes)
    assert (unknown.object_id, unknown.record) == ("contact:b", None)


async def test_an_id_that_is_refused_is_a_dead_letter_and_holds_up_no_other() -> None:
    """Anybody who knows the address of the webhooks can name one."""
    ids = [f"c{n:02}" for n in range(20)]
    found = await items(ids, Contacts(ids, refused=["c07"]))
    odd = [item for item in found if isinstance(item.record, Defect)]
    assert [(item.object_id, json.loads(item.original)) for item in odd] == [
        ("contact:c07", {"id": "c07"})
    ]
    assert sum(isinstance(item.record, bytes) for item in found) == 19


async def test_where_all_ids_are_refused_the_pull_is_paused_and_no_data_is_blamed() -> None:
    with pytest.raises(RefusedError):
        await items(["a", "b"], Contacts([], refused=["a", "b"]))


async def test_without_contacts_to_read_no_webhook_is_read() -> None:
    heard = Heard(["a"])
    page = await tasks(heard, read=["tasks"]).page(
        Answering(Answer(200, {}, b'{"tasks":[]}')), None
    )
    assert (page.cursor, heard.since) == (None, [])
