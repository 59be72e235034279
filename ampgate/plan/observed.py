"""What records have: a plan that all of them keep to. Pure.

The names in a record are its sender's, so their number is bounded: of an object with more names
than `NAMES_MAX` they are not listed, as they are data.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas.events import PROPERTY_EVENTS
from schemas.plans.document import DRAFT
from schemas.plans.members import members_of
from schemas.plans.plan import set_by
from schemas.topics import Kind

TYPES_MAX = 10_000
NAMES_MAX = 1_000
LEVELS_MAX = 5
REPEATED = 10  # Times on average; texts that come less often are ids, or free text.
Json = dict[str, Any]


@dataclass(slots=True)
class Shape:
    """The values that a property had."""

    values_max: int = 0  # Of different texts that are remembered,
    repeated: int = 1  # and so often each must have come, on average.
    types: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    texts: int = 0
    names: dict[str, "Shape"] = field(default_factory=dict)
    items: "Shape | None" = None
    is_open: bool = False  # It has other names, too.

    def _new(self) -> "Shape":
        return Shape(self.values_max, self.repeated)

    def see(self, value: object, levels: int = LEVELS_MAX) -> None:
        match value:
            case bool():
                self.types.add("boolean")
            case int() | float():
                self.types.add("number")
            case str():
                self.types.add("string")
                self.texts += 1
                if len(self.values) <= self.values_max:
                    self.values.add(value)
            case None:
                self.types.add("null")
            case list():
                self.types.add("array")
                self.items = self.items or self._new()
                for one in value:
                    self.items.see(one, levels - 1)
            case dict():
                self.types.add("object")
                self._see_names(value, levels)

    def _see_names(self, value: Json, levels: int) -> None:
        if not levels:
            self.is_open = True
        for name, one in value.items() if levels else ():
            shape = self.names.get(name)
            if shape is None:
                if len(self.names) >= NAMES_MAX:
                    self.is_open = True
                    continue
                shape = self.names[name] = self._new()
            shape.see(one, levels - 1)

    def schema(self) -> Json:
        are_few = len(self.values) <= self.values_max
        if self.types == {"string"} and are_few and self.texts >= self.repeated * len(self.values):
            return {"enum": sorted(self.values)}
        types = sorted(self.types)
        found: Json = {"type": types[0] if len(types) == 1 else types} if types else {}
        if "object" in self.types:
            found |= self.of_names()
        if self.items is not None and self.items.types:
            found["items"] = self.items.schema()
        return found

    def of_names(self) -> Json:
        """The schema of an object with these properties, and no others."""
        if self.is_open:
            return {}
        properties = {name: shape.schema() for name, shape in sorted(self.names.items())}
        return {"properties": properties, "additionalProperties": False}


class Observed:
    """Texts of a property with at most `enums` different ones are an enum of these."""

    def __init__(self, enums: int = 0, repeated: int = REPEATED) -> None:
        self._enums, self._repeated = enums, repeated
        self.events: dict[str, Shape] = {}
        self.users = Shape(enums, repeated)
        self.groups = Shape(enums, repeated)
        self.records = 0

    def see(self, kind: Kind, value: bytes) -> None:
        """A record; what is none is passed over: it reaches no destination."""
        try:
            record = members_of(kind, value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        self.records += 1
        if kind is Kind.EVENT and record.event_type not in PROPERTY_EVENTS | {""}:
            shape = self.events.get(record.event_type)
            if shape is None and len(self.events) < TYPES_MAX:
                shape = self.events[record.event_type] = self._new()
            if shape is not None:
                shape.see(record.event_properties or {})
        if record.user_properties:
            self.users.see(set_by(record.user_properties, "")[0])
        if record.group_properties:
            self.groups.see(set_by(record.group_properties, "")[0])

    def _new(self) -> Shape:
        return Shape(self._enums, self._repeated)

    def plan(self) -> Json:
        """As a plan's file has it."""
        events = {name: shape.of_names() for name, shape in sorted(self.events.items())}
        found: Json = {"$schema": DRAFT, "events": events}
        if self.users.names or self.users.is_open:
            found["user_properties"] = self.users.of_names()
        if self.groups.names or self.groups.is_open:
            found["group_properties"] = self.groups.of_names()
        return found
