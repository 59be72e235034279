"""Segment's own Amplitude destination beside our dialect: one call in, what is unlike?"""

import json
from collections.abc import Iterator
from typing import Any

from tests.shared_data import DATA
from tests.unit.gateway.calls import basic, call

CASES = DATA / "conformance" / "segment-action-destinations" / "amplitude.flat.ndjson"
# Which call has which of the destination's actions as its preset.
CALLS = {
    "logPurchase": "track",
    "logEvent": "track",
    "logEventV2": "track",
    "identifyUser": "identify",
    "groupIdentifyUser": "group",
    "mapUser": "alias",
}
# How the vendor sends it says nothing of the mapping.
TRANSPORT = {"use_batch_endpoint"}
Event = dict[str, Any]


def unlike(case: Event) -> set[str]:
    """The members of the expected events that are not so in ours; `missing` for an event."""
    ours = events_of(case)
    found: set[str] = set()
    for expectation in case["expected"]:
        exact = expectation["match"] == "exact"
        taken: list[Event] = []
        for theirs in _expected(expectation["payload"], case["action"]):
            like = [event for event in ours if event not in taken and _same_kind(event, theirs)]
            if not like:
                found.add("missing")
                continue
            taken.append(like[0])
            found |= _unlike_members(like[0], theirs, exact=exact)
    return found


def events_of(case: Event) -> list[Event]:
    """Ours. A group call needs its group, which the vendor's mapping gave."""
    mapping = case["mapping"] or {}
    group = {"groupId": mapping["group_value"]} if "group_value" in mapping else {}
    sent = case["event"] | {"type": CALLS[case["action"]]} | group
    return call("/segment/v1/batch", {"batch": [sent]}, basic("k")).values


def _expected(payload: Event, action: str) -> Iterator[Event]:
    """The vendor's events; an identification as the event that it would be."""
    if "events" in payload:
        for event in _elements(payload["events"]):
            yield _members(event)
    elif "identification" in payload:
        for identification in _elements(payload["identification"]):
            yield _as_event(_members(identification))
    else:
        yield {"event_type": f"no event: {action}"}


def _as_event(identification: Event) -> Event:
    rest = dict(identification)
    if "group_type" not in rest:
        return {"event_type": "$identify"} | rest
    groups = {rest.pop("group_type"): rest.pop("group_value")}
    return {"event_type": "$groupidentify", "groups": groups} | rest


def _elements(expected: Any) -> list[Any]:  # noqa: ANN401  JSON is anything.
    if isinstance(expected, dict) and "$arrayContaining" in expected:
        return list(expected["$arrayContaining"])
    return list(expected) if isinstance(expected, list) else [expected]


def _members(expected: Event) -> Event:
    return dict(expected.get("$objectContaining", expected))


def _same_kind(ours: Event, theirs: Event) -> bool:
    return "event_type" not in theirs or ours["event_type"] == theirs["event_type"]


def _unlike_members(ours: Event, theirs: Event, *, exact: bool) -> set[str]:
    names = theirs.keys() | ours.keys() if exact else theirs.keys()
    return {
        name for name in names - TRANSPORT if not _equal(ours.get(name), _open(theirs.get(name)))
    }


def _open(expected: Any) -> Any:  # noqa: ANN401  JSON is anything.
    return _members(expected) if isinstance(expected, dict) else expected


def _equal(ours: object, theirs: object) -> bool:
    """To Amplitude, `null` and an empty object say as little as nothing."""
    return (ours or None) == (theirs or None) if not _numbers(ours, theirs) else ours == theirs


def _numbers(*values: object) -> bool:
    return all(isinstance(value, int | float) for value in values)


def read_cases() -> dict[str, Event]:
    lines = CASES.read_text().splitlines()
    return {case["id"]: case for case in map(json.loads, lines)}
