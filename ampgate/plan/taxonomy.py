"""Amplitude's taxonomy as a plan, and a plan's schemas as its fields (amplitude-read.md#taxonomy).

Pure; `taxonomy_client` asks.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ampgate.plan.observed import Json
from schemas.plans.document import CLASSES, CLASSIFICATIONS, DELETED, DRAFT, HIDDEN, compiled

Found = Sequence[Mapping[str, Any]]
PREFIXES = ("gp:", "grp:")  # Of custom user and group properties.
REGEX = "x-regex"  # One that has no linear time, and so is no `pattern`.
TYPES = {"string": "string", "number": "number", "boolean": "boolean"}
_NOTES = {"display_name": "x-display-name", "owner": "x-owner"}
_COMMA = re.compile(r"\s*,\s*")


def event_of(found: Mapping[str, Any], properties: Iterable[Mapping[str, Any]]) -> Json:
    """An event type of the taxonomy, with its properties, as a schema."""
    schema: Json = {}
    if found.get("description"):
        schema["description"] = str(found["description"])
    category = found.get("category")
    if isinstance(category, dict) and category.get("name"):
        schema["x-category"] = category["name"]
    for name, note in _NOTES.items():
        if found.get(name):
            schema[note] = found[name]
    if found.get("tags"):
        schema["x-tags"] = found["tags"]
    if any(value is True for name, value in found.items() if name.startswith("is_hidden")):
        schema[HIDDEN] = True
    if found.get("deleted") is True:
        schema[DELETED] = True
    return schema | properties_of(properties, "event_property")


def properties_of(found: Iterable[Mapping[str, Any]], name_member: str) -> Json:
    """Properties of the taxonomy, as a schema of the object that has them."""
    properties: Json = {}
    is_required: dict[str, bool] = {}
    for one in sorted(found, key=lambda one: str(one.get(name_member))):
        name = without_prefix(str(one[name_member]))
        is_deleted = one.get("deleted") is True
        if name in properties and is_deleted:
            continue  # It was made anew.
        properties[name] = property_of(one)
        is_required[name] = one.get("is_required") is True and not is_deleted
    required = [name for name, is_so in is_required.items() if is_so]
    schema: Json = {"properties": properties} if properties else {}
    return schema | ({"required": required} if required else {})


def property_of(found: Mapping[str, Any]) -> Json:
    schema = _value_of(found)
    if found.get("is_array_type") is True:
        schema = {"type": "array", "items": schema} if schema else {"type": "array"}
    if found.get("description"):
        schema["description"] = str(found["description"])
    # Another class is of no use in a plan, and would make it unreadable.
    if classes := [one for one in _listed(found.get("classifications")) if one in tuple(CLASSES)]:
        schema[CLASSIFICATIONS] = classes
    if found.get("is_hidden") is True:
        schema[HIDDEN] = True
    if found.get("deleted") is True:
        schema[DELETED] = True
    return schema


def _value_of(found: Mapping[str, Any]) -> Json:
    kind, regex = found.get("type"), found.get("regex")
    if kind == "enum":
        values = _listed(found.get("enum_values"))
        return {"enum": values} if values else {}
    schema: Json = {"type": TYPES[kind]} if isinstance(kind, str) and kind in TYPES else {}
    if kind == "string" and regex:
        schema["pattern" if _is_linear(str(regex)) else REGEX] = str(regex)
    return schema


def _listed(values: object) -> list[Any]:
    """A list, or a text with commas; of anything else nothing."""
    if isinstance(values, str) and values.strip():
        return _COMMA.split(values.strip())
    return list(values) if isinstance(values, list) else []


def _is_linear(regex: str) -> bool:
    try:
        compiled({"pattern": regex})
    except ValueError:
        return False
    return True


def plan_of(
    events: Mapping[str, Json],
    users: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]],
) -> Json:
    tree: Json = {"$schema": DRAFT, "events": dict(sorted(events.items()))}
    if users:
        tree["user_properties"] = properties_of(users, "user_property")
    if groups:
        tree["group_properties"] = properties_of(groups, "group_property")
    return tree


def without_prefix(name: str) -> str:
    return next((name.removeprefix(one) for one in PREFIXES if name.startswith(one)), name)


def fields_of(schema: Any, *, required: bool = False) -> list[tuple[str, str]]:  # noqa: ANN401
    """A property's schema in the taxonomy's fields; `any` where it has no such type."""
    if not isinstance(schema, dict):
        return [("type", "any")]
    items = schema.get("items")
    is_array = schema.get("type") == "array"
    value = items if is_array and isinstance(items, dict) else {} if is_array else schema
    fields = _type_fields(value)
    if is_array:
        fields.append(("is_array_type", "true"))
    if required:
        fields.append(("is_required", "true"))
    if description := schema.get("description"):
        fields.append(("description", str(description)))
    return fields


def _type_fields(schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    enum = schema.get("enum")
    if isinstance(enum, list) and all(isinstance(one, str) and "," not in one for one in enum):
        return [("type", "enum"), ("enum_values", ",".join(enum))]
    kind = schema.get("type")
    kinds = [one for one in kind if one != "null"] if isinstance(kind, list) else [kind]
    known = {**TYPES, "integer": "number"}
    fields = [("type", known.get(str(kinds[0]), "any") if len(kinds) == 1 else "any")]
    regex = schema.get("pattern", schema.get(REGEX))
    if regex and fields[0][1] == "string":
        fields.append(("regex", str(regex)))
    return fields
