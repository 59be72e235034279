"""A plan's file: each mistake is told in one sentence, with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.plans.document import PlanError, read
from schemas.plans.plan import plan_at


def faults(plan: object) -> list[str]:
    text = plan if isinstance(plan, bytes) else json.dumps(plan).encode()
    with pytest.raises(PlanError) as refused:
        read(text)
    return str(refused.value).splitlines()


def of_event(schema: object) -> dict[str, Any]:
    return {"events": {"Bought": schema}}


@pytest.mark.parametrize(
    ("plan", "fault"),
    [
        (b"{", "it is no JSON"),
        (b"\xff", "it is no JSON"),
        (b"[" * 100_000, "it is nested too deeply"),
        ([], "it is no object"),
        ({}, "it has none of events, user_properties, group_properties"),
        (b'{"events": {"a": {}, "a": {}}}', "an object has two members a"),
        ({"events": []}, "events: must be an object"),
        ({"events": {}, "event": {}}, "event: unknown"),
        ({"events": {}, "$schema": "http://json-schema.org/draft-07/schema#"}, "$schema: must be"),
        (of_event(5), "events.Bought: is no JSON Schema"),
        (of_event({"type": "strin"}), "events.Bought.type: is no JSON Schema"),
        (of_event({"properties": {"a": 5}}), "events.Bought.properties.a: is no JSON Schema"),
        (of_event({"required": "a"}), "events.Bought.required: is no JSON Schema"),
        (of_event({"pattern": "(("}), "events.Bought.pattern: is no JSON Schema"),
        (of_event({"pattern": "(?=a)b"}), "events.Bought.pattern: is no JSON Schema"),
        (of_event({"$ref": "#/$defs/gone"}), "events.Bought: is no JSON Schema"),
        (of_event({"$ref": "https://127.0.0.1:1/schema"}), "events.Bought: is no JSON Schema"),
        (of_event({"$ref": "file:///etc/hostname"}), "events.Bought: is no JSON Schema"),
        (
            of_event({"properties": {"a": {"typ": "string"}}}),
            "events.Bought.properties.a.typ: JSON Schema has no keyword typ",
        ),
        (of_event({"anyOf": [{"optional": 1}]}), "events.Bought.anyOf.0.optional: JSON Schema"),
        (of_event({"x-deleted": "yes"}), "events.Bought.x-deleted: must be true or false"),
        (of_event({"x-classifications": ["SECRET"]}), "events.Bought.x-classifications: must be"),
        (
            of_event({"properties": {"a": {"minimum": 5, "maximum": 1, "type": "number"}}}),
            "events.Bought.properties.a: contradicts itself: no value satisfies it",
        ),
        (
            of_event({"properties": {"a": {"type": "string", "enum": [1, 2]}}}),
            "events.Bought.properties.a: contradicts itself",
        ),
        (
            of_event({"type": "object", "required": ["b"], "additionalProperties": False}),
            "events.Bought: contradicts itself",
        ),
        (
            of_event({"required": ["b"], "properties": {"a": {}}, "additionalProperties": False}),
            "events.Bought: contradicts itself: no properties satisfy it",
        ),
        (of_event({"required": ["b"], "properties": {"b": False}}), "events.Bought: contradicts"),
        (of_event({"type": "string"}), "events.Bought: contradicts itself: no properties"),
        ({"user_properties": {"maxProperties": 1, "required": ["a", "b"]}}, "user_properties: con"),
        (
            of_event({"required": ["a"], "properties": {"a": {"type": "string", "enum": [1]}}}),
            "events.Bought.properties.a: contradicts itself: no value satisfies it",
        ),
        ({"user_properties": {"type": "object", "const": 1}}, "user_properties: contradicts"),
    ],
)
def test_a_mistake_is_told_with_its_place(plan: object, fault: str) -> None:
    (said,) = faults(plan)
    assert said.startswith(fault)


def test_every_event_type_with_a_mistake_is_told() -> None:
    plan = {"events": {name: {"typ": 1} for name in "abc"}}
    assert [one.split(":")[0] for one in faults(plan)] == [
        "events.a.typ",
        "events.b.typ",
        "events.c.typ",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"additionalProperties": False},
        {"properties": {"gone": False, "a": {"$ref": "#/$defs/money"}}},
        {"properties": {"a": {"x-classifications": ["PII"], "x-owner": "web"}}},
        {
            "dependentRequired": {"a": ["b"]},
            "if": {"required": ["a"]},
            "then": {"minProperties": 2},
        },
    ],
)
def test_what_json_schema_has_is_a_plan(schema: object) -> None:
    plan = of_event(schema) | {"$defs": {"money": {"type": "number", "minimum": 0}}}
    assert read(json.dumps(plan).encode()).events == {"Bought": schema}


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "no.json", tmp_path, Path("a\0b")):
        with pytest.raises(PlanError, match="it cannot be read"):
            plan_at(path)
