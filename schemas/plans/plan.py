"""A plan, compiled: whether a record keeps to it, in about a microsecond. Pure.

Checked are an event's type and properties, and user and group properties wherever they are: plain
values, and those below `$set`, `$setOnce` and `$add`, together as one object. What other operations
name is not checked: their values are elements of lists, or nothing.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind
from msgspec import Struct

from schemas.plans.document import (
    CLASSIFICATIONS,
    DELETED,
    MASK,
    Document,
    PlanError,
    Schema,
    compiled,
    read,
)
from schemas.topics import Kind

NOT_IN_PLAN: Final = "not_in_plan"
VIOLATES_PLAN: Final = "violates_plan"
SET_OPERATIONS = ("$setOnce", "$add", "$set")
PROPERTY_EVENTS = frozenset({"$identify", "$groupidentify"})
NAME_BYTES_MAX = 64  # Of a sender's own name in a path.
WORDS_MAX = 200
PLANS_MAX = 16  # Compiled ones that are kept: a reload with the same file costs nothing.
Properties = dict[str, Any]


class Violation(Struct, frozen=True):
    """Why a record does not keep to the plan."""

    reason: str
    path: str
    message: str
    is_known: bool = True  # The plan has its event type.


class _Event(Struct, gc=False):
    event_type: str
    event_properties: Properties | None = None


class _Record(Struct, gc=False):
    """With what only some plans check."""

    event_type: str = ""
    event_properties: Properties | None = None
    user_properties: Properties | None = None
    group_properties: Properties | None = None


_event = msgspec.json.Decoder(_Event)
_record = msgspec.json.Decoder(_Record)


class Plan:
    def __init__(self, document: Document) -> None:
        self.document = document
        definitions = document.definitions

        def check(schema: Schema | None) -> Draft202012Validator | None:
            return None if schema is None else compiled(_present(schema), definitions)

        self._events: Mapping[str, Draft202012Validator] | None = None
        if document.events is not None:
            self._events = {
                name: compiled(_present(schema), definitions)
                for name, schema in document.events.items()
                if not _is_deleted(schema)
            }
        self._users = check(document.user_properties)
        self._groups = check(document.group_properties)
        self._events_only = self._users is None and self._groups is None

    def violation(self, kind: Kind, value: bytes) -> Violation | None:
        """What is wrong with a record that can be used, first of all."""
        if kind is not Kind.EVENT:
            record = _record.decode(value)
            if kind is Kind.USER_PROPERTIES:
                return _updates(self._users, "user_properties", record.user_properties)
            return _updates(self._groups, "group_properties", record.group_properties)
        event = _event.decode(value) if self._events_only else _record.decode(value)
        found = self._of_event(event.event_type, event.event_properties)
        if found is None and isinstance(event, _Record):
            found = _updates(self._users, "user_properties", event.user_properties)
            found = found or _updates(self._groups, "group_properties", event.group_properties)
        return found

    def _of_event(self, event_type: str, properties: Properties | None) -> Violation | None:
        if self._events is None or event_type in PROPERTY_EVENTS:
            return None
        schema = self._events.get(event_type)
        if schema is None:
            words = "the plan has no such event_type"
            return Violation(NOT_IN_PLAN, "event_type", words, is_known=False)
        return _wrong(schema, "event_properties", properties or {})

    def classified(self, classes: Iterable[str]) -> list[str]:
        """The properties of these classes, as `drop_properties` names them."""
        wanted, found = set(classes), dict[str, None]()
        for schema in (self.document.events or {}).values():
            found |= dict.fromkeys(_classified(schema, wanted, "event_properties"))
        for parent in ("user_properties", "group_properties"):
            schema = getattr(self.document, parent)
            found |= dict.fromkeys(_classified(schema, wanted, parent))
        return list(found)


def plan_at(path: Path) -> Plan:
    """The plan in a file; `PlanError` says what is wrong with it."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise PlanError(f"it cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # A path with a NUL.
        raise PlanError(f"it cannot be read: {error}") from error
    return plan_of(text)


@lru_cache(PLANS_MAX)
def plan_of(text: bytes) -> Plan:
    return Plan(read(text))


def _updates(
    schema: Draft202012Validator | None, parent: str, given: Properties | None
) -> Violation | None:
    """What an update sets, as one object: an operation's value stands over those before it."""
    if schema is None or given is None:
        return None
    values = {name: value for name, value in given.items() if not name.startswith("$")}
    places = dict.fromkeys(values, parent)
    for operation in SET_OPERATIONS:
        below = given.get(operation)
        if isinstance(below, dict):
            values.update(below)
            places.update(dict.fromkeys(below, f"{parent}.{operation}"))
    return _wrong(schema, parent, values, places)


def _wrong(
    schema: Draft202012Validator,
    parent: str,
    properties: Properties,
    places: Mapping[str, str] | None = None,
) -> Violation | None:
    if schema.is_valid(properties):
        return None
    error = next(iter(schema.iter_errors(properties)))
    names = list(error.instance_path)
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            names, words = [*names, name], "is required"
        case (
            ValidationErrorKind.AdditionalProperties(unexpected=[name, *_])
            | ValidationErrorKind.UnevaluatedProperties(unexpected=[name, *_])
        ):
            names, words = [*names, name], "is not in the plan"
        case ValidationErrorKind.FalseSchema():
            words = "is not allowed by the plan"
        case _:
            words = _words(error)
    if names and places is not None:
        parent = places.get(str(names[0]), parent)
    path = ".".join([parent, *(_shown(str(name)) for name in names)])
    return Violation(VIOLATES_PLAN, path, f"{path} {words}")


def _words(error: ValidationError) -> str:
    """Without the value, which may be a person's."""
    return error.message.replace(MASK, "").strip()[:WORDS_MAX]


def _shown(name: str) -> str:
    cut = name.encode("utf-8", "replace")
    return name if len(cut) <= NAME_BYTES_MAX else cut[:NAME_BYTES_MAX].decode("utf-8", "ignore")


def _is_deleted(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get(DELETED) is True


def _present(schema: Schema) -> Schema:
    """The schema without properties that are marked as deleted: they are not planned."""
    if isinstance(schema, bool) or not any(map(_is_deleted, schema.get("properties", {}).values())):
        return schema
    kept = {n: one for n, one in schema["properties"].items() if not _is_deleted(one)}
    return {**schema, "properties": kept}


def _classified(schema: object, wanted: set[str], path: str) -> Iterable[str]:
    """Paths of properties of these classes, also below others and in lists."""
    if not isinstance(schema, dict):
        return
    for name, one in schema.get("properties", {}).items():
        if not isinstance(one, dict):
            continue
        if wanted.intersection(one.get(CLASSIFICATIONS, ())):
            yield f"{path}.{name}"
        else:
            yield from _classified(one, wanted, f"{path}.{name}")
    yield from _classified(schema.get("items"), wanted, path)
