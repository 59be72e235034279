"""Whether a record keeps to a plan: as JSON Schema's reference implementation decides."""

import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.plans.document import PlanError
from schemas.plans.plan import Plan, Violation, plan_of
from schemas.topics import Kind

BOUGHT = {
    "properties": {
        "price": {"type": "number", "minimum": 0},
        "currency": {"enum": ["EUR", "USD"]},
        "items": {"type": "array", "items": {"properties": {"sku": {"type": "string"}}}},
        "old": {"type": "string", "x-deleted": True},
    },
    "required": ["price"],
    "additionalProperties": False,
}
TEXTS = {"type": "array", "items": {"type": "string"}}
USERS = {"properties": {"plan": {"type": "string"}, "visits": {"type": "integer"}}}
PLAN = {
    "events": {"Bought": BOUGHT, "Viewed": True, "Gone": {"x-deleted": True}},
    "user_properties": {**USERS, "additionalProperties": False},
    "group_properties": {"properties": {"size": {"type": "integer"}}},
}


def plan(document: object) -> Plan:
    return plan_of(json.dumps(document).encode())


def violation(value: dict[str, Any], kind: Kind = Kind.EVENT) -> Violation | None:
    return plan(PLAN).violation(kind, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("event_type", "properties", "reason", "path"),
    [
        ("Bought", {"price": 1}, None, None),
        ("Viewed", {"anything": [1]}, None, None),
        ("$identify", {"anything": 1}, None, None),
        ("Viewd", {}, "not_in_plan", "event_type"),
        ("Gone", {}, "not_in_plan", "event_type"),
        ("Bought", None, "violates_plan", "event_properties.price"),
        ("Bought", {"price": "1"}, "violates_plan", "event_properties.price"),
        ("Bought", {"price": -1}, "violates_plan", "event_properties.price"),
        ("Bought", {"price": 1, "currency": "GBP"}, "violates_plan", "event_properties.currency"),
        ("Bought", {"price": 1, "colour": 1}, "violates_plan", "event_properties.colour"),
        ("Bought", {"price": 1, "old": "x"}, "violates_plan", "event_properties.old"),
        (
            "Bought",
            {"price": 1, "items": [{"sku": "a"}, {"sku": 2}]},
            "violates_plan",
            "event_properties.items.1.sku",
        ),
    ],
)
def test_a_violation_has_its_reason_and_the_path_that_is_wrong(
    event_type: str, properties: object, reason: str | None, path: str | None
) -> None:
    found = violation({"event_type": event_type, "event_properties": properties})
    assert (found and found.reason, found and found.path) == (reason, path)
    assert found is None or found.is_known is (reason != "not_in_plan")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"plan": "pro", "$set": {"visits": 1}, "$unset": {"old": "-"}}, None),
        ({"$append": {"list": "x"}, "$clearAll": "-"}, None),
        ({"plan": 1}, "user_properties.plan"),
        ({"$set": {"plan": 1}}, "user_properties.$set.plan"),
        ({"$setOnce": {"new": 1}}, "user_properties.$setOnce.new"),
        ({"$add": {"visits": "1"}}, "user_properties.$add.visits"),
    ],
)
def test_user_properties_are_checked_wherever_they_are(
    given: dict[str, Any], path: str | None
) -> None:
    update = violation({"user_id": "u", "user_properties": given}, Kind.USER_PROPERTIES)
    event = violation({"event_type": "Viewed", "user_properties": given})
    identify = violation({"event_type": "$identify", "user_properties": given})
    assert {one and one.path for one in (update, event, identify)} == {path}


def test_group_properties_are_checked_wherever_they_are() -> None:
    wrong = {"$set": {"size": "big"}}
    group = violation({"group_properties": wrong}, Kind.GROUP_PROPERTIES)
    event = violation({"event_type": "$groupidentify", "group_properties": wrong})
    assert {one and one.path for one in (group, event)} == {"group_properties.$set.size"}


@pytest.mark.parametrize("odd", [None, 5, "x", [], {"plan": 5, "size": "big"}])
@pytest.mark.parametrize("document", [PLAN, {"events": {"Viewed": True}}])
def test_an_update_may_have_any_members_beside_those_that_are_checked(
    odd: object, document: dict[str, Any]
) -> None:
    names = ("event_type", "event_properties", "user_properties", "group_properties")
    users = (Kind.USER_PROPERTIES, "user_properties", {"plan": "pro"})
    groups = (Kind.GROUP_PROPERTIES, "group_properties", {"size": 1})
    for kind, own, properties in (users, groups):
        update = dict.fromkeys(names, odd) | {own: {"$set": properties}}
        assert plan(document).violation(kind, json.dumps(update).encode()) is None


def test_a_plan_without_event_types_restricts_none() -> None:
    only_users = plan({"user_properties": USERS})
    assert only_users.violation(Kind.EVENT, b'{"event_type":"anything"}') is None


def test_a_message_has_no_value_and_no_long_name_of_a_sender() -> None:
    secret = "4111-1111" * 100
    wrong = violation({"event_type": "Bought", "event_properties": {"price": secret}})
    assert wrong is not None
    assert wrong.message == 'event_properties.price is not of type "number"'
    named = {"price": 1, secret: 1}
    unknown = violation({"event_type": "Bought", "event_properties": named})
    assert unknown is not None
    assert len(unknown.message) < 120


def test_the_names_of_a_path_are_cut_together() -> None:
    nested: object = "text"
    for level in range(30):
        nested = {f"{level}{'é' * 30}": nested}
    deep = plan({"events": {"e": {"additionalProperties": {"$ref": "#/$defs/n"}}}, "$defs": DEEP})
    value = json.dumps({"event_type": "e", "event_properties": nested}).encode()
    assert (wrong := deep.violation(Kind.EVENT, value)) is not None
    assert len(wrong.path.encode()) <= len("event_properties.") + 64
    assert len(wrong.names) == 30


DEEP = {"n": {"type": ["object", "integer"], "additionalProperties": {"$ref": "#/$defs/n"}}}


def test_a_name_that_breaks_the_plans_rule_for_names_is_named() -> None:
    snake = plan({"events": {"e": {"propertyNames": {"pattern": "^[a-z_]+$"}}}})
    wrong = snake.violation(Kind.EVENT, b'{"event_type":"e","event_properties":{"Price":1}}')
    assert wrong is not None
    words = 'event_properties has the name Price, which does not match "^[a-z_]+$"'
    assert (wrong.path, wrong.message) == ("event_properties", words)
    long = json.dumps({"event_type": "e", "event_properties": {"N" * 1_000: 1}}).encode()
    assert (cut := snake.violation(Kind.EVENT, long)) is not None
    assert cut.message.count("N") == 64


@pytest.mark.parametrize(
    ("schema", "path", "words"),
    [
        (TEXTS, "event_properties.list.0", 'is not of type "string"'),
        ({"anyOf": [{"type": "null"}, TEXTS]}, "event_properties.list", "any of the schemas"),
        ({"oneOf": [{"type": "null"}, TEXTS]}, "event_properties.list", "exactly one of the"),
        ({"$ref": "#/$defs/some"}, "event_properties.list", "any of the schemas"),
        ({"allOf": [{"anyOf": [{"anyOf": [TEXTS]}]}]}, "event_properties.list", "any of the"),
    ],
)
def test_a_list_of_which_nothing_is_as_planned_takes_no_memory_for_each_element(
    schema: dict[str, Any], path: str, words: str
) -> None:
    event = {"properties": {"list": schema}, "unevaluatedProperties": False}
    some = {"anyOf": [{"type": "integer"}, TEXTS]}
    lists = plan({"events": {"e": event}, "$defs": {"some": some}})
    value = b'{"event_type":"e","event_properties":{"list":[%b1]}}' % (b"1," * 100_000)
    tracemalloc.start()
    try:
        wrong = lists.violation(Kind.EVENT, value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert wrong is not None
    assert (wrong.path, words in wrong.message) == (path, True)
    assert peak < 5_000_000


def test_a_reference_into_alternatives_is_followed() -> None:
    alternatives = {"anyOf": [{"type": "null"}, TEXTS]}
    event = {"properties": {"a": alternatives, "b": {"$ref": "#/properties/a/anyOf/1"}}}
    wrong = plan({"events": {"e": event}}).violation(
        Kind.EVENT, b'{"event_type":"e","event_properties":{"b":[1]}}'
    )
    assert wrong is not None
    assert wrong.path == "event_properties.b.0"


def test_the_classified_properties_are_found() -> None:
    pii: dict[str, Any] = {"x-classifications": ["PII"]}
    inner = {"type": "array", "items": {"properties": {"name": pii}}}
    found = plan(
        {
            "events": {"a": {"properties": {"email": pii, "to": inner, "n": {}}}, "b": True},
            "user_properties": {"properties": {"phone": {"x-classifications": ["SENSITIVE"]}}},
        }
    )
    assert found.classified(["PII"]) == ["event_properties.email", "event_properties.to.name"]
    assert found.classified(["SENSITIVE"]) == ["user_properties.phone"]


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", 1.0, 0.5])
VALUES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), SCALARS | st.lists(SCALARS, max_size=2), max_size=3
)
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "boolean", "null", "array"]),
        "enum": st.lists(SCALARS, min_size=1, max_size=3),
        "minimum": st.integers(-2, 2),
        "items": st.just({"type": "string"}),
        "pattern": st.just("^a"),
        "minLength": st.integers(0, 2),
    },
)
CHOICES = st.lists(LEAVES, min_size=1, max_size=2)
PROPERTIES = st.dictionaries(
    st.sampled_from(["a", "b"]),
    LEAVES | st.fixed_dictionaries({}, optional={"anyOf": CHOICES, "oneOf": CHOICES}),
)
SCHEMAS = st.fixed_dictionaries(
    {"properties": PROPERTIES},
    optional={
        "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
        "additionalProperties": st.booleans() | LEAVES,
        "unevaluatedProperties": st.booleans(),
        "anyOf": st.lists(st.fixed_dictionaries({"properties": PROPERTIES}), min_size=1),
        "not": st.fixed_dictionaries({"anyOf": CHOICES}),
    },
)


@given(SCHEMAS, VALUES)
def test_a_violation_is_what_the_reference_implementation_says(
    schema: dict[str, Any], properties: dict[str, Any]
) -> None:
    event = msgspec.json.encode({"event_type": "e", "event_properties": properties})
    try:
        checked = plan({"events": {"e": schema}})
    except PlanError:
        return  # It contradicts itself.
    is_valid = Draft202012Validator(schema).is_valid(json.loads(event)["event_properties"])
    assert (checked.violation(Kind.EVENT, event) is None) is is_valid
