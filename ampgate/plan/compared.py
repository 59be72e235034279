"""A plan beside Amplitude's taxonomy: how they differ, and what the taxonomy lacks. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ampgate.plan.drift import PARENTS, Difference
from ampgate.plan.observed import Json
from ampgate.plan.taxonomy import fields_of
from schemas.plans.document import is_deleted

RESOURCES = {"user_properties": "user-property", "group_properties": "group-property"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the taxonomy does not have: a resource to be created, with its fields."""

    resource: str
    event_type: str | None
    name: str
    fields: Sequence[tuple[str, str]]


def differences(plan: Json, taxonomy: Json) -> Iterator[Difference]:
    """As for what was sent: `not_planned` is only in the taxonomy, `not_seen` only in the plan."""
    ours, theirs = _events(plan), _events(taxonomy)
    for name in sorted({*ours, *theirs}):
        if name not in theirs:
            yield Difference("not_seen", name, None, "the taxonomy has no such event_type")
        elif name not in ours:
            yield Difference("not_planned", name, None, "only the taxonomy has this event_type")
        else:
            yield from _properties(name, "event_properties", ours[name], theirs[name])
    for parent in PARENTS:
        if parent in plan or parent in taxonomy:
            yield from _properties(None, parent, plan.get(parent), taxonomy.get(parent))


def proposals(plan: Json, taxonomy: Json) -> Iterator[Proposal]:
    """What to add to the taxonomy; nothing in it is changed."""
    ours, theirs = _events(plan), _events(taxonomy)
    for name, schema in sorted(ours.items()):
        if name not in theirs and name in taxonomy.get("events", {}):
            continue  # It was deleted there: that is for people to decide.
        if name not in theirs:
            yield Proposal("event", name, name, _event_fields(name, schema))
        required = schema.get("required", ()) if isinstance(schema, dict) else ()
        for one, value in _missing(schema, theirs.get(name)):
            fields = fields_of(value, required=one in required)
            about = [("event_property", one), ("event_type", name)]
            yield Proposal("event-property", name, one, [*about, *fields])
    for parent, resource in RESOURCES.items():
        for one, value in _missing(plan.get(parent), taxonomy.get(parent)):
            member = resource.replace("-", "_")
            yield Proposal(resource, None, one, [(member, one), *fields_of(value)])


def _event_fields(name: str, schema: Any) -> list[tuple[str, str]]:  # noqa: ANN401  A schema.
    fields = [("event_type", name)]
    if isinstance(schema, dict) and schema.get("description"):
        fields.append(("description", str(schema["description"])))
    return fields


def _events(tree: Json) -> Mapping[str, Any]:
    return {name: one for name, one in tree.get("events", {}).items() if not is_deleted(one)}


def _of(schema: object) -> Mapping[str, Any]:
    found = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return {name: one for name, one in found.items() if not is_deleted(one)}


def _missing(ours: object, theirs: object) -> Iterator[tuple[str, Any]]:
    known = theirs.get("properties", {}) if isinstance(theirs, dict) else {}
    return ((name, one) for name, one in sorted(_of(ours).items()) if name not in known)


def _properties(
    event_type: str | None, parent: str, ours: object, theirs: object
) -> Iterator[Difference]:
    mine, its = _of(ours), _of(theirs)
    for name in sorted({*mine, *its}):
        path = f"{parent}.{name}"
        if name not in its:
            yield Difference("not_seen", event_type, path, f"the taxonomy has no {path}")
        elif name not in mine:
            yield Difference("not_planned", event_type, path, f"only the taxonomy has {path}")
        elif (one := _type(mine[name])) != (other := _type(its[name])):
            says = f"{path} is {one} in the plan, {other} in the taxonomy"
            yield Difference("differs", event_type, path, says)


def _type(schema: object) -> str:
    """In the taxonomy's words, so that what it cannot say makes no difference."""
    fields = dict(fields_of(schema))
    kind = fields["type"]
    if values := fields.get("enum_values"):
        kind = f"enum of {', '.join(sorted(values.split(',')))}"
    return f"array of {kind}" if "is_array_type" in fields else kind
