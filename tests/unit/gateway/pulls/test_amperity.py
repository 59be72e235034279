"""Amperity's profiles: whatever a page holds, each object becomes a record or says why not."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pulls.amperity import Profiles
from gateway.pulls.pull import (
    Answer,
    CursorLostError,
    Item,
    Page,
    RefusedError,
    UnreadableError,
)
from schemas.strictness import Defect
from schemas.vendors.amperity import AmperityPull

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


class Fixed:
    """An API with one answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[Sequence[tuple[str, str]]] = []

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Answer:
        self.asked.append(query)
        return self._answer

    async def download(self, path: str, into: Path) -> Answer:
        raise AssertionError("profiles come in pages, not in a file")


def profiles(**keys: object) -> Profiles:
    given = {"name": "vip", "type": "amperity", "every": "1h", "tenant": "acme", "token": "t"}
    chosen = {"index": "i", "user_id": "email", **keys}
    return Profiles(AmperityPull.model_validate(given | chosen))


async def page(answer: Answer, cursor: str | None = None, **keys: object) -> Page:
    return await profiles(**keys).page(Fixed(answer), cursor)


def shown(*data: object, token: str | None = None) -> Answer:
    return Answer(200, {}, json.dumps({"data": data, "next_token": token}).encode())


def values(items: Sequence[Item]) -> list[object]:
    return [json.loads(item.record) for item in items if isinstance(item.record, bytes)]


@pytest.mark.parametrize(
    "attributes",
    [
        {"email": "a@b.c", "ltv": 1, "city": "Bonn"},
        [{"name": "email", "value": "a@b.c"}, {"name": "ltv", "value": 1}],
        [{"email": "a@b.c"}, {"ltv": 1}],
    ],
)
async def test_attributes_come_as_an_object_or_as_a_list(attributes: object) -> None:
    found = await page(shown({"id": "p", "attributes": attributes}), properties=["ltv"])
    assert values(found.items) == [{"user_id": "a@b.c", "user_properties": {"$set": {"ltv": 1}}}]


async def test_a_table_names_attributes_anew() -> None:
    answer = shown({"id": "p", "attributes": {"email": "a", "ltv": 1}})
    found = await page(answer, properties={"ltv": "lifetime value"})
    assert values(found.items) == [
        {"user_id": "a", "user_properties": {"$set": {"lifetime value": 1}}}
    ]


async def test_values_travel_as_they_came() -> None:
    body = b'{"data":[{"id":"p","attributes":{"email":7,"big":123456789012345678901234567890}}]}'
    [item] = (await page(Answer(200, {}, body))).items
    assert isinstance(item.record, bytes)
    assert b'"user_id":"7"' in item.record
    assert b"123456789012345678901234567890" in item.record


async def test_filters_and_the_cursor_are_asked_for() -> None:
    api = Fixed(shown())
    await profiles(filter={"country": "DE"}).page(api, "next")
    [query] = api.asked
    assert {("filter[country]", "DE"), ("next_token", "next")} <= set(query)


@pytest.mark.parametrize(
    ("status", "cursor", "error"),
    [
        (400, "c", CursorLostError),
        (410, "c", CursorLostError),
        (400, None, RefusedError),
        (404, None, RefusedError),
        (302, None, UnreadableError),
    ],
)
async def test_an_answer_that_is_no_page_says_what_follows(
    status: int, cursor: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await page(Answer(status, {}, b"{}"), cursor)


@given(st.binary(max_size=40))
async def test_bytes_that_are_no_page_are_unreadable(body: bytes) -> None:
    try:
        found = await page(Answer(200, {}, body))
    except UnreadableError:
        return
    assert not found.items


@given(JSON)
async def test_any_profile_is_a_record_or_a_defect_or_says_nothing(profile: object) -> None:
    [item] = (await page(shown(profile))).items
    assert item.record is None or isinstance(item.record, bytes | Defect)


@given(st.dictionaries(st.text(max_size=5), JSON))
async def test_any_attributes_are_a_record_or_a_defect(attributes: dict[str, object]) -> None:
    [item] = (await page(shown({"id": "p", "attributes": attributes | {"email": "a"}}))).items
    assert item.record is None or isinstance(item.record, bytes)
