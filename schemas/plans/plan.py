"""A plan, compiled: whether a record keeps to it, in about a microsecond. Pure.

Checked are an event's type and properties, and user and group properties wherever they are: plain
values, and those below `$set`, `$setOnce` and `$add`, together as one object. What other operations
name is not checked: their values are elements of lists, or nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from msgspec import Struct

from schemas.events import PROPERTY_EVENTS
from schemas.plans.document import (
    CLASSIFICATIONS,
    MASK,
    Document,
    PlanError,
    Schema,
    is_deleted,
    present,
    read,
)
from schemas.plans.members import Properties, members_of
from schemas.plans.rules import WORDS, Rule, alternatives_of
from schemas.small_file import content_of
from schemas.topics import Kind

if TYPE_CHECKING:  # As in `document`.
    from jsonschema_rs import ValidationError

    Errors: TypeAlias = Callable[[Rule, object], Iterator[ValidationError]]

NOT_IN_PLAN: Final = "not_in_plan"
VIOLATES_PLAN: Final = "violates_plan"
SET_OPERATIONS = ("$setOnce", "$add", "$set")
LONG_BYTES = 200_000  # It may have 100,000 errors of a kB.
NAMES_BYTES_MAX = 64  # Of a sender's own names in a path.
WORDS_MAX = 200
PLANS_MAX = 16  # Compiled ones that are kept: a reload with the same file costs nothing.


class Violation(Struct, frozen=True):
    """Why a record does not keep to the plan."""

    reason: str
    path: str
    message: str
    is_known: bool = True  # The plan has its event type.
    keyword: str = ""  # Of JSON Schema.
    names: tuple[str | int, ...] = ()  # From the properties to what is wrong, as they were sent.


class _Event(Struct, gc=False):
    event_type: str
    event_properties: Properties | None = None


_event = msgspec.json.Decoder(_Event)


class Plan:
    def __init__(self, document: Document) -> None:
        self.document = document
        definitions = document.definitions

        def rule(schema: Schema | None) -> Rule | None:
            return None if schema is None else Rule(present(schema), definitions)

        self._events: Mapping[str, Rule] | None = None
        if document.events is not None:
            self._events = {
                name: Rule(present(schema), definitions)
                for name, schema in document.events.items()
                if not is_deleted(schema)
            }
        self._users = rule(document.user_properties)
        self._groups = rule(document.group_properties)
        self._events_only = self._users is None and self._groups is None

    def violation(self, kind: Kind, value: bytes) -> Violation | None:
        """What is wrong with a record that can be used, first of all."""
        if kind is Kind.EVENT and self._events_only:  # The usual plan, and record.
            event = _event.decode(value)
            return self._of_event(event.event_type, event.event_properties)
        return next(self._found(kind, value, Rule.first), None)

    def violations(self, kind: Kind, value: bytes) -> Iterator[Violation]:
        """All that is wrong with it; of a long one what is found first."""
        return self._found(kind, value, Rule.all if len(value) <= LONG_BYTES else Rule.first)

    def _found(self, kind: Kind, value: bytes, errors: "Errors") -> Iterator[Violation]:
        members = members_of(kind, value)
        if kind is Kind.EVENT:
            yield from self._in_event(members.event_type, members.event_properties, errors)
        yield from _updates(self._users, "user_properties", members.user_properties, errors)
        yield from _updates(self._groups, "group_properties", members.group_properties, errors)

    def _of_event(self, event_type: str, properties: Properties | None) -> Violation | None:
        schema = None if self._events is None else self._events.get(event_type)
        if schema is not None and schema.is_valid(properties or {}):
            return None
        return next(self._in_event(event_type, properties, Rule.first), None)

    def _in_event(
        self, event_type: str, properties: Properties | None, errors: "Errors"
    ) -> Iterator[Violation]:
        if self._events is None or event_type in PROPERTY_EVENTS:
            return
        schema = self._events.get(event_type)
        if schema is None:
            words = "the plan has no such event_type"
            yield Violation(NOT_IN_PLAN, "event_type", words, is_known=False)
        else:
            yield from _wrong(schema, "event_properties", properties or {}, errors)

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
        text = content_of(path)
    except OSError as error:
        raise PlanError(f"it cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # A path with a NUL.
        raise PlanError(f"it cannot be read: {error}") from error
    return plan_of(text)


@lru_cache(PLANS_MAX)
def plan_of(text: bytes) -> Plan:
    return Plan(read(text))


def _updates(
    rule: Rule | None, parent: str, given: Properties | None, errors: "Errors"
) -> Iterator[Violation]:
    """What an update sets, as one object: an operation's value stands over those before it."""
    if rule is None or given is None:
        return
    values, places = set_by(given, parent)
    yield from _wrong(rule, parent, values, errors, places)


def set_by(given: Properties, parent: str) -> tuple[Properties, dict[str, str]]:
    """The values that an update sets, and the path above each."""
    values = {name: value for name, value in given.items() if not name.startswith("$")}
    places = dict.fromkeys(values, parent)
    for operation in SET_OPERATIONS:
        below = given.get(operation)
        if isinstance(below, dict):
            values.update(below)
            places.update(dict.fromkeys(below, f"{parent}.{operation}"))
    return values, places


def _wrong(
    rule: Rule,
    parent: str,
    properties: Properties,
    errors: "Errors",
    places: Mapping[str, str] | None = None,
) -> Iterator[Violation]:
    if rule.is_valid(properties):
        return
    for error in errors(rule, properties):
        for names, words in _told(error):
            above = parent
            if names and places is not None:
                above = places.get(str(names[0]), parent)
            path = f"{above}.{_shown('.'.join(map(str, names)))}" if names else above
            message = f"{path} {words}"
            keyword = error.kind.name
            yield Violation(VIOLATES_PLAN, path, message, keyword=keyword, names=tuple(names))


def _told(error: "ValidationError") -> Iterator[tuple[list[str | int], str]]:
    """The names that lead to what is wrong, and why it is."""
    from jsonschema_rs import ValidationErrorKind

    names = list(error.instance_path)
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            yield [*names, name], "is required"
        case (
            ValidationErrorKind.AdditionalProperties(unexpected=unexpected)
            | ValidationErrorKind.UnevaluatedProperties(unexpected=unexpected)
        ):
            yield from (([*names, name], "is not in the plan") for name in unexpected)
        case ValidationErrorKind.FalseSchema():
            yield names, "is not allowed by the plan"
        case ValidationErrorKind.PropertyNames(error=wrong):  # Its own message has the whole name.
            yield names, f"has the name {_shown(str(wrong.instance))}, which {_words(wrong)}"
        case ValidationErrorKind.Not(schema=schema) if keyword := alternatives_of(schema):
            yield names, WORDS[keyword]
        case _:
            yield names, _words(error)


def _words(error: "ValidationError") -> str:
    """Without the value, which may be a person's."""
    return error.message.replace(MASK, "").strip()[:WORDS_MAX]


def _shown(name: str) -> str:
    cut = name.encode("utf-8", "replace")
    return name if len(cut) <= NAMES_BYTES_MAX else cut[:NAMES_BYTES_MAX].decode("utf-8", "ignore")


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
