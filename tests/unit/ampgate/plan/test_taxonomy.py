"""The taxonomy: pulled as a plan, compared, and pushed to; its budget is never broken."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.amplitude_read.client import read_client
from ampgate.errors import CommandError
from ampgate.lab.simulators.model import Request
from ampgate.lab.simulators.reads.side import AmplitudeRead, AmplitudeReadOptions
from ampgate.plan.compared import differences, proposals
from ampgate.plan.taxonomy import event_of
from ampgate.plan.taxonomy_client import Taxonomy
from schemas.plans.document import DRAFT
from schemas.plans.plan import plan_of
from schemas.vendors.amplitude import AmplitudeDestination
from tests.loopback import loopback_client
from tests.operating import set_faults, simulating

PLAN: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "events": {
        "Bought / paid": {
            "description": "The order was paid.",
            "properties": {
                "amount": {"type": "number", "description": "With tax."},
                "currency": {"enum": ["EUR", "USD"]},
                "sku": {"type": "string", "pattern": "^[A-Z]+$"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "gift": {"type": "boolean"},
                "more": {},
            },
            "required": ["amount"],
        },
        "Viewed": {},
    },
    "user_properties": {"properties": {"plan": {"enum": ["free", "pro"]}}},
    "group_properties": {"properties": {"size": {"type": "number"}}},
}


def destination(url: str) -> AmplitudeDestination:
    return AmplitudeDestination.model_validate(
        {"name": "a", "type": "amplitude", "api_key": "k", "secret_key": "s", "read_url": url}
    )


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with simulating("amplitude-read") as url:
        yield url


@pytest.fixture
async def taxonomy(url: str, tmp_path: Path) -> AsyncIterator[Taxonomy]:
    async with read_client(destination(url), tmp_path) as client:
        yield Taxonomy(client, lambda _done, _total: None)


async def pushed(taxonomy: Taxonomy, plan: dict[str, Any]) -> int:
    found = list(proposals(plan, await taxonomy.plan()))
    return sum([await taxonomy.add(one.resource, one.fields) for one in found])


async def call(url: str, method: str, path: str, **form: str) -> None:
    async with loopback_client() as client:
        answer = await client.request(
            method, f"{url}/api/2/taxonomy/{path}", data=form, auth=("k", "s")
        )
    answer.raise_for_status()


async def test_a_plan_that_is_pushed_is_the_plan_that_is_pulled(taxonomy: Taxonomy) -> None:
    assert await pushed(taxonomy, PLAN) == 10
    pulled = await taxonomy.plan()
    assert pulled == PLAN
    assert plan_of(json.dumps(pulled).encode())
    assert list(differences(PLAN, pulled)) == []
    assert await pushed(taxonomy, PLAN) == 0


async def test_many_event_types_break_no_limit(url: str, taxonomy: Taxonomy) -> None:
    many: dict[str, Any] = {"events": {f"event {n}": {"properties": {"a": {}}} for n in range(30)}}
    assert await pushed(taxonomy, many) == 60
    assert (await taxonomy.plan())["events"] == many["events"]
    async with loopback_client() as client:
        stats = (await client.get(f"{url}/_stats")).json()
    assert stats["read_violations"] == 0


async def test_what_is_deleted_or_hidden_is_marked(url: str, taxonomy: Taxonomy) -> None:
    await pushed(taxonomy, PLAN)
    await call(url, "DELETE", "event/Viewed")
    await call(url, "DELETE", "user-property/gp:plan")
    hides = {"event_type": "Bought / paid", "is_hidden": "true"}
    await call(url, "PUT", "event-property/gift", **hides)
    classes = {"event_type": "Bought / paid", "classifications": "PII,SENSITIVE"}
    await call(url, "PUT", "event-property/sku", **classes)
    await call(url, "PUT", "event-property/sku", **{**classes, "type": "string", "regex": "(?=a)b"})

    pulled = await taxonomy.plan()
    assert pulled["events"]["Viewed"] == {"x-deleted": True}
    assert pulled["user_properties"]["properties"]["plan"]["x-deleted"] is True
    bought = pulled["events"]["Bought / paid"]["properties"]
    assert bought["gift"] == {"type": "boolean", "x-hidden": True}
    assert bought["sku"] == {
        "type": "string",
        "x-regex": "(?=a)b",
        "x-classifications": ["PII", "SENSITIVE"],
    }
    assert plan_of(json.dumps(pulled).encode())
    # What was deleted there is not pushed again: that is for people to decide.
    assert await pushed(taxonomy, PLAN) == 0


async def test_drift_is_told_both_ways(url: str, taxonomy: Taxonomy) -> None:
    await pushed(taxonomy, PLAN)
    await call(url, "POST", "event", event_type="Only there")
    changed = json.loads(json.dumps(PLAN))
    changed["events"]["New"] = {}
    changed["events"]["Bought / paid"]["properties"]["amount"] = {"type": "string"}
    del changed["events"]["Bought / paid"]["properties"]["gift"]
    found = [
        (one.drift, one.event_type, one.path) for one in differences(changed, await taxonomy.plan())
    ]
    assert found == [
        ("differs", "Bought / paid", "event_properties.amount"),
        ("not_planned", "Bought / paid", "event_properties.gift"),
        ("not_seen", "New", None),
        ("not_planned", "Only there", None),
    ]


async def test_what_is_there_already_is_no_error(taxonomy: Taxonomy) -> None:
    assert await taxonomy.add("event", [("event_type", "a")])
    assert not await taxonomy.add("event", [("event_type", "a")])


async def test_both_shapes_of_its_errors_are_told(taxonomy: Taxonomy) -> None:
    with pytest.raises(CommandError, match="taxonomy/event: event_type is required"):
        await taxonomy.add("event", [("description", "x")])
    with pytest.raises(CommandError, match="it did not succeed, and Amplitude gives no reason"):
        await taxonomy.add(
            "user-property", [("user_property", "a"), ("type", "number"), ("regex", "x")]
        )


async def test_without_the_enterprise_plan_that_is_said(url: str, taxonomy: Taxonomy) -> None:
    body = {"success": False, "errors": [{"message": "Not found"}]}
    await set_faults(url, {"effect": {"kind": "answer", "status": 404, "body": json.dumps(body)}})
    with pytest.raises(CommandError, match="in its Enterprise plan only"):
        await taxonomy.plan()


async def test_a_429_of_it_is_waited_for(url: str, taxonomy: Taxonomy) -> None:
    busy = {"kind": "answer", "status": 429, "headers": {"retry-after": "0"}}
    await set_faults(url, {"times": 3, "effect": busy})
    assert (await taxonomy.plan())["events"] == {}


def test_the_simulator_holds_to_the_cost_of_an_hour() -> None:
    model = AmplitudeRead(AmplitudeReadOptions())
    login = {"authorization": "Basic azpz"}  # k:s
    get = Request("GET", "/api/2/taxonomy/event", headers=login)
    assert {model.answer(get, 0.0).status for _ in range(7_200)} == {200}
    assert model.answer(get, 3_599.0).status == 429
    assert model.answer(get, 3_600.0).status == 200
    nothing = AmplitudeRead(AmplitudeReadOptions(is_enterprise=False))
    assert nothing.answer(get, 0.0).status == 404


ODD = [None, 7, -1.5, True, "", " ", "a, b", [], ["a"], [7, None], {}, {"name": 7}]
NAMES = ["event_property", "type", "regex", "enum_values", "classifications", "is_required"]


@given(st.dictionaries(st.sampled_from([*NAMES, "description"]), st.sampled_from(ODD)))
def test_an_odd_property_makes_a_plan_nevertheless(odd: dict[str, object]) -> None:
    named = {"event_property": "p", **odd}
    for kind in ("string", "enum"):
        schema = event_of({"event_type": "e"}, [named, {**named, "type": kind}])
        assert plan_of(json.dumps({"$schema": DRAFT, "events": {"e": schema}}).encode())


async def test_what_has_no_name_is_left_out_of_a_plan(url: str, taxonomy: Taxonomy) -> None:
    events: list[object] = [{"category": None}, {"event_type": None}, {"event_type": "a"}, 7]
    answer = {"kind": "answer", "status": 200, "body": {"success": True, "data": events}}
    await set_faults(url, {"effect": answer})
    assert await taxonomy.plan() == {"$schema": DRAFT, "events": {"a": {}}}
