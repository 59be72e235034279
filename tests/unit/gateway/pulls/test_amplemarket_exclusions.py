"""What Amplemarket excludes, in whatever spelling, and what it does not mean."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.pulls.pull import Answer, Item, Lift, Suppress
from schemas.strictness import Defect
from tests.unit.gateway.pulls.systems import exclusions


class Lists:
    """Two lists, a page each."""

    def __init__(self, emails: Sequence[object], domains: Sequence[object]) -> None:
        self.lists = {"/excluded-emails": emails, "/excluded-domains": domains}

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Answer:
        return Answer(200, {}, json.dumps({"data": self.lists[path], "_links": {}}).encode())

    async def download(self, path: str, into: Path) -> Answer:
        raise AssertionError


def items(emails: Sequence[object] = (), domains: Sequence[object] = ()) -> list[Item]:
    async def run() -> list[Item]:
        lists, pull = Lists(emails, domains), exclusions()
        first = await pull.page(lists, None)
        last = await pull.page(lists, first.cursor)
        assert last.cursor is None
        return [*first.items, *last.items]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ({"email": "a@b.c"}, "a@b.c"),
        ({"email": "  Ann.O@Shop.Example\n"}, "ann.o@shop.example"),
        ("Plain@Text.example ", "plain@text.example"),
        ({"email": "MÜLLER@firma.example", "reason": 7}, "müller@firma.example"),
        *(({"email": text}, None) for text in ("", " ", "a b@c.d", "@c.d", "a@", "nobody", "a@@b")),
        *((None, None), (17, None), ([], None), ({}, None)),
        *(({"email": None}, None), ({"email": {"a": 1}}, None)),
    ],
)
def test_an_address_is_found_in_any_spelling_and_nothing_else_is(
    email: object, name: str | None
) -> None:
    [item] = items([email])
    if name is None:
        assert isinstance(item.record, Defect)
    else:
        assert (item.object_id, item.record) == (
            name,
            Suppress(name, "excluded in Amplemarket", None),
        )


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ({"domain": "Shop.Example "}, "@shop.example"),
        ({"domain": "@shop.example"}, "@shop.example"),
        ("shop.example", "@shop.example"),
        *(({"domain": text}, None) for text in ("", "@", "a b.c", "a@b.c", "https://b.c/x")),
    ],
)
def test_a_domain_is_found_in_any_spelling(domain: object, name: str | None) -> None:
    [item] = items(domains=[domain])
    named = item.record.name if isinstance(item.record, Suppress) else None
    assert named == name


def test_what_is_gone_is_lifted_and_the_same_twice_is_one() -> None:
    twice = items([{"email": "A@b.c", "created_at": "2026-01-01T00:00:00Z"}, {"email": "a@B.c "}])
    assert {item.object_id for item in twice} == {"a@b.c"}
    assert {item.version for item in twice} == {b"excluded"}
    gone = exclusions().gone("a@b.c")
    assert gone is not None
    assert gone.record == Lift("a@b.c")
