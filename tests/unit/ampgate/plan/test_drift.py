"""A plan from what was sent, and how a plan and what was sent differ."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ampgate.plan.drift import Drift
from ampgate.plan.observed import NAMES_MAX, Observed
from schemas.plans.plan import Plan, plan_of
from schemas.topics import Kind
from tests.examples import examples

PLAN = {
    "events": {
        "Bought": {
            "properties": {
                "price": {"type": "number"},
                "currency": {"enum": ["EUR"]},
                "unused": {},
                "items": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["price"],
            "additionalProperties": False,
        },
        "Never": {},
        "Gone": {"x-deleted": True},
    },
    "user_properties": {"properties": {"plan": {"type": "string"}}, "additionalProperties": False},
}
SENT: list[tuple[dict[str, Any], str]] = [
    ({"event_type": "Bought", "event_properties": {"price": 1, "currency": "EUR"}}, "web"),
    ({"event_type": "Bought", "event_properties": {"price": "1"}}, "app"),
    ({"event_type": "Bought", "event_properties": {"colour": "red"}}, "app"),
    ({"event_type": "Bought", "event_properties": {"price": 2, "items": ["a", 1, 2]}}, "web"),
    ({"event_type": "Bought", "event_properties": {"price": 3, "currency": "GBP"}}, "web"),
    ({"event_type": "Viewed", "event_properties": {"page": {"n": 1}}}, "web"),
    ({"event_type": "Gone"}, "web"),
    ({"event_type": "$identify", "user_properties": {"$set": {"plan": 5, "new": 1}}}, "web"),
]


def compiled(tree: object) -> Plan:
    return plan_of(json.dumps(tree).encode())


def drift_of(tree: object) -> Drift:
    drift = Drift(compiled(tree))
    for value, source in SENT:
        drift.see(Kind.EVENT, json.dumps(value).encode(), source)
    return drift


def test_updates_are_seen_whatever_members_they_have_beside_their_properties() -> None:
    drift, observed = Drift(compiled(PLAN)), Observed()
    update = b'{"user_id":"u","event_type":null,"group_properties":5,"user_properties":{"plan":1}}'
    observed.see(Kind.USER_PROPERTIES, update)

    (wrong,) = drift.see(Kind.USER_PROPERTIES, update, "web")

    assert wrong.path == "user_properties.plan"
    assert [one.path for one in drift.differences() if one.count] == ["user_properties.plan"]
    assert observed.plan()["user_properties"]["properties"] == {"plan": {"type": "number"}}


def test_drift_is_told_both_ways_with_counts_and_sources() -> None:
    found = [
        (one.drift, one.event_type, one.path, one.count, dict(one.sources))
        for one in drift_of(PLAN).differences()
    ]
    assert found == [
        ("not_planned", None, "user_properties.$set.new", 1, {"web": 1}),
        ("differs", None, "user_properties.$set.plan", 1, {"web": 1}),
        ("not_planned", "Bought", "event_properties.colour", 1, {"app": 1}),
        ("differs", "Bought", "event_properties.currency", 1, {"web": 1}),
        ("differs", "Bought", "event_properties.items.*", 2, {"web": 2}),
        ("differs", "Bought", "event_properties.price", 1, {"app": 1}),
        ("differs", "Bought", "event_properties.price", 1, {"app": 1}),
        ("not_planned", "Gone", None, 1, {"web": 1}),
        ("not_planned", "Viewed", None, 1, {"web": 1}),
        ("not_seen", "Bought", "event_properties.unused", 0, {}),
        ("not_seen", "Never", None, 0, {}),
    ]


def test_an_applied_drift_allows_all_that_was_sent_and_keeps_what_was_planned() -> None:
    applied = drift_of(PLAN).applied(json.loads(json.dumps(PLAN)))
    assert not [one for one in drift_of(applied).differences() if one.drift != "not_seen"]
    assert applied["events"]["Never"] == {}
    bought = applied["events"]["Bought"]["properties"]
    assert bought["unused"] == {}
    assert bought["currency"] == {"enum": ["EUR", "GBP"]}
    assert bought["price"] == {"anyOf": [{"type": "number"}, {"type": ["number", "string"]}]}
    still = compiled(applied).violation(Kind.EVENT, b'{"event_type":"Other"}')
    assert still is not None
    assert still.reason == "not_in_plan"


NAMES = st.text(min_size=1, max_size=2)  # The validator's paths leave an empty name out.
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=6,
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.dictionaries(NAMES, VALUES)),
    max_size=6,
)


@examples(60)
@given(EVENTS, EVENTS, st.sampled_from([0, 2]))
def test_what_was_sent_keeps_to_the_plan_that_is_inferred_of_it_or_widened_by_it(
    first: list[tuple[str, dict[str, Any]]], later: list[tuple[str, dict[str, Any]]], enums: int
) -> None:
    def values(events: list[tuple[str, dict[str, Any]]]) -> list[bytes]:
        return [
            msgspec.json.encode({"event_type": name, "event_properties": properties})
            for name, properties in events
        ]

    observed = Observed(enums)
    for value in values(first):
        observed.see(Kind.EVENT, value)
    inferred = observed.plan()
    assert not any(compiled(inferred).violation(Kind.EVENT, one) for one in values(first))

    drift = Drift(compiled(inferred))
    for value in values(later):
        drift.see(Kind.EVENT, value, "s")
    applied = compiled(drift.applied(inferred))
    assert not any(applied.violation(Kind.EVENT, one) for one in values([*first, *later]))


def test_an_object_of_countless_names_is_data_and_not_a_plan() -> None:
    observed = Observed()
    properties = {f"name {n}": n for n in range(NAMES_MAX + 1)}
    event = {"event_type": "a", "event_properties": properties}
    observed.see(Kind.EVENT, json.dumps(event).encode())
    assert observed.plan()["events"] == {"a": {}}
