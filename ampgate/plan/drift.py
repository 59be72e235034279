"""How a plan and what was sent differ, both ways; and the plan that has both. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ampgate.plan.observed import Json, Observed
from schemas.plans.document import is_deleted
from schemas.plans.members import members_of
from schemas.plans.plan import NOT_IN_PLAN, Plan, Violation
from schemas.topics import Kind

GROUPS_MAX = 10_000
VALUES_MAX = 1_000
PARENTS = ("user_properties", "group_properties")
NEW = frozenset({"additionalProperties", "unevaluatedProperties"})
_INDEX = re.compile(r"\.\d+(?=\.|$)")


@dataclass(frozen=True, slots=True)
class Difference:
    """`drift`: not_seen (planned, never sent), not_planned (sent), or differs (sent otherwise)."""

    drift: str
    event_type: str | None
    path: str | None
    says: str
    count: int = 0
    sources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was sent, as a schema; and the same with the texts where they are few."""

    schema: Json
    with_values: Json

    def of(self, name: str) -> tuple[Json, Json]:
        found = (one.get("properties", {}).get(name, {}) for one in (self.schema, self.with_values))
        schema, values = found
        return schema, values


class Drift:
    """What of the records that are seen is not as the plan has it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._seen = Observed()
        self._wrong = Observed()  # Only what violates the plan.
        self._values = Observed(VALUES_MAX, repeated=1)  # The same, with the texts.
        self._groups: dict[tuple[str, Violation], Counter[str]] = {}

    def see(self, kind: Kind, value: bytes, source: str) -> list[Violation]:
        """Its violations of the plan; a record that cannot be used has none."""
        try:
            found = list(self._plan.violations(kind, value))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return []
        self._seen.see(kind, value)
        if found:
            self._wrong.see(kind, value)
            self._values.see(kind, value)
            event_type = members_of(kind, value).event_type
        for violation in found:
            place = "" if violation.path.startswith(PARENTS) else event_type
            group = self._groups.get((place, _anywhere(violation)))
            if group is None and len(self._groups) < GROUPS_MAX:
                group = self._groups[place, _anywhere(violation)] = Counter()
            if group is not None:
                group[source] += 1
        return found

    def differences(self) -> Iterator[Difference]:
        for (event_type, found), counts in sorted(
            self._groups.items(), key=lambda one: (one[0][0], one[0][1].path)
        ):
            is_type = found.reason == NOT_IN_PLAN
            yield Difference(
                "not_planned" if is_type or found.keyword in NEW else "differs",
                event_type or None,
                None if is_type else found.path,
                found.message,
                counts.total(),
                dict(counts),
            )
        yield from self._not_seen()

    def applied(self, tree: Json) -> Json:
        """The plan's tree with what was sent besides: none of these records violates it."""
        wrong, values, merged = self._wrong.plan(), self._values.plan(), dict(tree)
        if "events" in tree:
            merged["events"] = dict(tree["events"])
        found: dict[tuple[str, str], list[Violation]] = {}
        for event_type, violation in self._groups:
            section = violation.path.partition(".")[0] if not event_type else "events"
            found.setdefault((section, event_type), []).append(violation)
        for (section, event_type), violations in found.items():
            if event_type:
                seen = Seen(
                    wrong["events"].get(event_type, {}), values["events"].get(event_type, {})
                )
                events = merged[section]
                events[event_type] = _wider(events.get(event_type), seen, violations)
            else:
                seen = Seen(wrong.get(section, {}), values.get(section, {}))
                merged[section] = _wider(merged[section], seen, violations)
        return merged

    def _not_seen(self) -> Iterator[Difference]:
        document = self._plan.document
        for name, schema in sorted((document.events or {}).items()):
            if is_deleted(schema):
                continue
            if (shape := self._seen.events.get(name)) is None:
                yield Difference("not_seen", name, None, "it is planned, and was never sent")
                continue
            for path in _unseen(schema, set(shape.names)):
                yield _never(name, f"event_properties.{path}")
        for parent, seen in zip(PARENTS, (self._seen.users, self._seen.groups), strict=True):
            for path in _unseen(getattr(document, parent), set(seen.names)):
                yield _never(None, f"{parent}.{path}")


def _anywhere(violation: Violation) -> Violation:
    """The same for each element of a list."""
    if not any(isinstance(one, int) for one in violation.names):
        return violation
    path = _INDEX.sub(".*", violation.path)
    message = violation.message.replace(violation.path, path)
    names = tuple("*" if isinstance(one, int) else one for one in violation.names)
    return msgspec.structs.replace(violation, path=path, message=message, names=names)


def _never(event_type: str | None, path: str) -> Difference:
    return Difference("not_seen", event_type, path, f"{path} is planned, and was never sent")


def _unseen(schema: object, seen: set[str]) -> Iterator[str]:
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    for name, one in sorted(properties.items()):
        if name not in seen and not is_deleted(one):
            yield name


def _wider(schema: Any, seen: Seen, violations: Sequence[Violation]) -> Any:  # noqa: ANN401  A schema.
    """The schema, so that what violated it is allowed."""
    if violations[0].reason == NOT_IN_PLAN:
        return seen.schema
    sent = seen.schema.get("properties", {})
    are_named = all(
        one.keyword == "required" or (one.names and one.names[0] in sent) for one in violations
    )
    if not isinstance(schema, dict) or not are_named:
        return {"anyOf": [*_choices(schema), seen.schema]}
    for violation in violations:
        schema = _with_name(schema, seen, violation)
    return schema


def _with_name(schema: Json, seen: Seen, violation: Violation) -> Json:
    """The schema with another value of one of its names, or another name."""
    name = str(violation.names[0])
    if violation.keyword == "required" and len(violation.names) == 1:
        return {**schema, "required": [one for one in schema["required"] if one != name]}
    properties = dict(schema.get("properties", {}))
    before, (sent, values) = properties.get(name), seen.of(name)
    if before is None or is_deleted(before):
        properties[name] = sent
    elif violation.keyword == "enum" and "enum" in before and "enum" in values:
        properties[name] = {
            **before,
            "enum": list(dict.fromkeys([*before["enum"], *values["enum"]])),
        }
    elif before != sent and sent not in _choices(before):
        properties[name] = {"anyOf": [*_choices(before), sent]}
    return {**schema, "properties": properties}


def _choices(schema: Any) -> list[Any]:  # noqa: ANN401  A schema.
    """Those that an earlier widening wrote, else the schema alone."""
    if isinstance(schema, dict) and list(schema) == ["anyOf"]:
        return list(schema["anyOf"])
    return [schema]
