"""A plan's file: JSON Schema (2020-12) for the properties of each event type. Pure.

    {"events": {"Order Completed": {…}}, "user_properties": {…}, "group_properties": {…}}

`read` raises `PlanError` with one sentence for each mistake: what is no JSON Schema, keywords that
it does not have (an `x-…` is an annotation), and schemas that no value can satisfy.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # 7 MB, which processes without a plan do not need.
    from jsonschema_rs import Draft202012Validator

Schema: TypeAlias = Mapping[str, Any] | bool
DRAFT = "https://json-schema.org/draft/2020-12/schema"
SECTIONS = ("events", "user_properties", "group_properties")
MEMBERS = frozenset({*SECTIONS, "$schema", "$id", "$comment", "$defs", "title", "description"})
FAULTS_MAX = 20
MASK = "\0"  # In messages, in place of a value.

DELETED, HIDDEN, CLASSIFICATIONS = "x-deleted", "x-hidden", "x-classifications"
CLASSES = frozenset({"PII", "SENSITIVE", "REVENUE"})  # amplitude-read.md#taxonomy.

SCHEMAS = frozenset(
    {
        *("additionalProperties", "unevaluatedProperties", "propertyNames", "items", "contains"),
        *("unevaluatedItems", "not", "if", "then", "else", "contentSchema"),
    }
)
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_PLAIN = frozenset(
    {
        *("$schema", "$id", "$anchor", "$dynamicAnchor", "$ref", "$dynamicRef", "$comment"),
        *("type", "enum", "const", "required", "dependentRequired", "uniqueItems", "format"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern", "minItems", "maxItems", "minContains"),
        *("maxContains", "minProperties", "maxProperties", "title", "description", "default"),
        *("deprecated", "readOnly", "writeOnly", "examples", "contentEncoding"),
        "contentMediaType",
    }
)


class PlanError(ValueError):
    """A plan cannot be used; one sentence a line."""


@dataclass(frozen=True, slots=True)
class Document:
    """A plan as it is written. `events` is None where the plan names no event types."""

    events: Mapping[str, Schema] | None
    user_properties: Schema | None
    group_properties: Schema | None
    definitions: Mapping[str, Any] = field(default_factory=dict)


def read(text: bytes) -> Document:
    tree = _tree(text)
    faults = [f"{name}: unknown; a plan has {', '.join(SECTIONS)}" for name in _unknown(tree)]
    if tree.get("$schema", DRAFT) not in (DRAFT, f"{DRAFT}#"):
        faults.append(f"$schema: must be {DRAFT}")
    if not any(name in tree for name in SECTIONS):
        faults.append(f"it has none of {', '.join(SECTIONS)}")
    objects = [name for name in ("events", "$defs") if not isinstance(tree.get(name, {}), dict)]
    faults += [f"{name}: must be an object" for name in objects]
    if faults:
        raise PlanError("\n".join(faults))
    document = Document(
        tree.get("events"),
        tree.get("user_properties"),
        tree.get("group_properties"),
        tree.get("$defs", {}),
    )
    for path, schema in schemas_of(document):
        faults += _faults(path, schema, document.definitions)
        if len(faults) >= FAULTS_MAX:
            break
    if faults:
        raise PlanError("\n".join(faults[:FAULTS_MAX]))
    return document


def schemas_of(document: Document) -> Iterator[tuple[str, Schema]]:
    """Each schema of a plan, and where it is."""
    for name, schema in (document.events or {}).items():
        yield f"events.{name}", schema
    for section in ("user_properties", "group_properties"):
        if (schema := getattr(document, section)) is not None:
            yield section, schema


def compiled(schema: Any) -> "Draft202012Validator":  # noqa: ANN401  A schema.
    """Patterns are matched in linear time, nothing is read from another host or file."""
    from jsonschema_rs import Draft202012Validator, RegexOptions

    return Draft202012Validator(schema, mask=MASK, pattern_options=RegexOptions(), offline=True)


def whole(schema: Schema, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401  A schema.
    """A schema with the plan's definitions beside its own, so that `$ref` finds them."""
    if isinstance(schema, bool) or not definitions:
        return schema
    return {**schema, "$defs": {**definitions, **schema.get("$defs", {})}}


def is_deleted(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get(DELETED) is True


def present(schema: Schema) -> Schema:
    """The schema without properties that are marked as deleted: they are not planned."""
    if isinstance(schema, bool) or not any(map(is_deleted, schema.get("properties", {}).values())):
        return schema
    kept = {n: one for n, one in schema["properties"].items() if not is_deleted(one)}
    return {**schema, "properties": kept}


def _tree(text: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(text, object_pairs_hook=_without_repetition)
    except RecursionError as error:
        raise PlanError("it is nested too deeply") from error
    except PlanError:
        raise
    except ValueError as error:  # Also of bytes that are no UTF-8.
        raise PlanError(f"it is no JSON: {error}") from error
    if not isinstance(tree, dict):
        raise PlanError("it is no object")
    return tree


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PlanError(f"an object has two members {twice}")
    return tree


def _unknown(tree: Mapping[str, Any]) -> list[str]:
    return [name for name in tree if name not in MEMBERS and not name.startswith("x-")]


def _faults(path: str, schema: Schema, definitions: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(schema, dict | bool):
        yield f"{path}: is no JSON Schema: it must be an object"
        return
    from jsonschema_rs import ValidationError

    try:
        compiled(whole(schema, definitions))
    except ValidationError as error:
        place = ".".join([path, *map(str, error.instance_path)])
        yield f"{place}: is no JSON Schema: {error.message.replace(MASK, 'its value')}"
        return
    except (ValueError, RecursionError) as error:
        yield f"{path}: is no JSON Schema: {error}"
        return
    unknown = list(_unknown_keywords(path, schema))
    yield from unknown
    if not unknown:
        yield from _contradictions(path, schema, definitions)


def _unknown_keywords(path: str, schema: Any) -> Iterator[str]:  # noqa: ANN401  A subschema.
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        where = f"{path}.{name}"
        if name in SCHEMAS:
            yield from _unknown_keywords(where, value)
        elif name in LISTS:
            for index, one in enumerate(value):
                yield from _unknown_keywords(f"{where}.{index}", one)
        elif name in MAPS:
            for key, one in value.items():
                yield from _unknown_keywords(f"{where}.{key}", one)
        elif name in (DELETED, HIDDEN):
            if not isinstance(value, bool):
                yield f"{where}: must be true or false"
        elif name == CLASSIFICATIONS:
            if not isinstance(value, list) or not CLASSES.issuperset(map(str, value)):
                yield f"{where}: must be a list of {', '.join(sorted(CLASSES))}"
        elif name not in _PLAIN and not name.startswith("x-"):
            yield f"{where}: JSON Schema has no keyword {name}; an annotation begins with x-"


def _contradictions(path: str, schema: Schema, definitions: Mapping[str, Any]) -> Iterator[str]:
    """What no value satisfies, or else no properties; a `false` is meant so."""
    if isinstance(schema, bool):
        return
    from jsonschema_rs import RegexOptions
    from jsonschema_rs.canonical import find_unsatisfiable

    full = whole(schema, definitions)
    # Behind all others: paths into the schema stay as they are.
    full = {**full, "allOf": [*full.get("allOf", ()), {"type": "object"}]}
    faults, is_satisfied = [], True
    for found in find_unsatisfiable(full, pattern_options=RegexOptions(), offline=True):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in str(found).split("/")[1:]]
        if not parts:
            is_satisfied = False
        elif _at(full, parts) is not False and parts[0] != "$defs":
            faults.append(f"{'.'.join([path, *parts])}: contradicts itself: no value satisfies it")
    if not is_satisfied and not faults:
        faults.append(f"{path}: contradicts itself: no properties satisfy it")
    yield from faults


def _at(schema: Any, parts: list[str]) -> Any:  # noqa: ANN401  A subschema.
    for part in parts:
        schema = schema[int(part)] if isinstance(schema, list) else schema[part]
    return schema
