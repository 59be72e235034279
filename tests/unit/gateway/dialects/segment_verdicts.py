"""What we say to each of the 74 cases of Segment's own Amplitude destination, and the page of it.

`python -m tests.unit.gateway.dialects.segment_verdicts` writes the page anew.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.dialects.segment_fields import COORDINATES, FIELDS, TOUCHES
from gateway.dialects.segment_mapping import GROUP_TYPE

PAGE = Path(__file__).parents[4] / "docs" / "segment-mapping.md"
TOTAL = 74


@dataclass(frozen=True, slots=True)
class Difference:
    """Where we deliberately do otherwise: the members it may touch, why, and in which cases."""

    members: frozenset[str]
    reason: str
    cases: frozenset[int]


def _difference(members: str, reason: str, *cases: int) -> Difference:
    return Difference(frozenset(members.split()), reason, frozenset(cases))


EVENTS_WITH_AGENT = (1, 2, 13, 14, 15, 18, 25, 26, 34, 35, 36, 39, 41, 42, 50, 51, 52, 57, 58)
IDENTIFIES = (59, 60, 61, 62, 63, 64, 65, 67)
DIFFERENCES: Mapping[str, Difference] = {
    "insert_id": _difference(
        "insert_id",
        "`messageId` is the `insert_id`: a call that an SDK repeats counts once. "
        "Segment leaves the field empty.",
        *(*EVENTS_WITH_AGENT, *IDENTIFIES, 68, 69),
    ),
    "user agent": _difference(
        "user_agent os_name os_version device_manufacturer device_model device_type",
        "The user agent travels as it is, and Amplitude parses it. Segment parses it on the way.",
        *(*EVENTS_WITH_AGENT, 59, 61, 62, 63, 67),
    ),
    "address": _difference(
        "ip",
        "Without `context.ip`, the address of the connection is the `ip`, "
        "as far as the source's `ip` option allows.",
        *(13, 18, 34, 39, 50, 57, 58, 60, 62, 63, 64, 65, 67),
    ),
    "library": _difference(
        "library",
        "`library` is `segment`; the SDK's own name is not carried over.",
        *(1, 2, 25, 26, 41, 42),
    ),
    "operations": _difference(
        "user_properties group_properties",
        "Traits are under `$set`: Amplitude's rule is that operations and plain keys do not mix.",
        *(12, 33, 49, 55, 59, 60, 61, 62, 63, 67, 69),
    ),
    "events": _difference(
        "ip time idfv location_lat location_lng city country language platform user_agent "
        "user_id device_id",
        "Identify and group calls stay events, in order with the user's other events, and keep "
        "their whole context. Segment posts them to other endpoints, with fewer fields.",
        *(59, 60, 61, 62, 63, 64, 65, 67, 68, 69),
    ),
    "time zone": _difference(
        "timezone",
        "`timezone` is Aampe's; Amplitude ignores it. Segment has no place for it.",
        *(1, 2, 14, 15, 25, 26, 35, 36, 41, 42, 51, 52, 59, 61, 68, 69),
    ),
    "group type": _difference(
        "groups user_properties insert_id",
        f"The group's type is `{GROUP_TYPE}`: a group call names none, and there is no setting.",
        *(68, 69),
    ),
    "alias": _difference(
        "missing",
        "An alias becomes a dead letter (`alias_not_supported`): Amplitude joins users at an "
        "endpoint of its own, a paid add-on, and nothing is delivered there.",
        22,
    ),
}
NOT_APPLICABLE: Mapping[str, Collection[int]] = {
    "It is about Amplitude's region or endpoint, which is a matter of delivery.": (
        *(16, 17, 23, 37, 38, 53, 54, 66, 70, 71),
    ),
    "It is about a setting of the vendor's that there is not here: revenue per product, "
    "other names for revenue, mappings without ids or operations.": (
        *(9, 10, 19, 20, 21, 31, 47, 56, 72, 73),
    ),
}
SETTINGS = """## Pointing an SDK here

With the edge at `https://edge`:

| SDK | setting |
|---|---|
| Segment, Python | `host="https://edge/segment"` |
| Segment, Node | `host: "https://edge"` with `path: "/segment/v1/batch"` |
| Segment, browser | `integrations: {"Segment.io": {apiHost: "edge/segment/v1"}}` |
| Segment, Kotlin | `apiHost = "edge/segment/v1"` |
| Segment, Rust | `HttpClient::new(client, "https://edge/segment".into())` |
| Segment, Java | `.endpoint("https://edge/segment/")` |
| Segment, Go | `Endpoint: "https://edge/segment"` |
| Segment, Ruby and PHP | `host: "edge"` (they know no path, and `/v1/batch` is served there, too) |
| RudderStack, Python | `dataPlaneUrl = "https://edge/segment"`, or a client's `host` |
| RudderStack, Node and browser | `dataPlaneUrl: "https://edge/segment"` |
| RudderStack, Rust | `RudderAnalytics::load(key, "https://edge/segment".into())` |
| RudderStack, Java | `.setDataPlaneUrl("https://edge/segment/")` |
| RudderStack, Go | `DataPlaneUrl: "https://edge/segment"` |
| RudderStack, Ruby | `data_plane_url: "https://edge"` (its path is `/v1/batch`) |
"""


def different(case: int) -> list[Difference]:
    return [difference for difference in DIFFERENCES.values() if case in difference.cases]


def is_applicable(case: int) -> bool:
    return all(case not in cases for cases in NOT_APPLICABLE.values())


def page() -> str:
    return f"{_mapping()}\n{SETTINGS}\n{_cases()}"


def _mapping() -> str:
    return f"""# From Segment calls to Amplitude events

You send Segment's or RudderStack's calls, and want to know what arrives at Amplitude. To change
over step by step: [Move from Segment or RudderStack](howto/move-from-segment.md).

The Segment dialect turns each call into events as Segment's own Amplitude destination does with its
default mapping.

| call | events |
|---|---|
| `track` | its `event`; an `Order Completed` has `revenue`, and each of its products is a \
`Product Purchased` |
| `identify` | `$identify`, the traits under `$set`; what `integrations.Amplitude.fieldsToUnset` \
lists under `$unset` |
| `group` | `$identify` with the user's group, then `$groupidentify` with the group's traits |
| `page`, `screen` | `Viewed {{name}} Page`, `Viewed {{name}} Screen`; without a name its category |
| `alias` | none: a dead letter |

| field | from |
|---|---|
| `user_id` | `userId`, also a number |
| `device_id` | `context.device.id`, else `anonymousId` |
| `time` | `timestamp`, moved by what `sentAt` says the sender's clock is off; not moved in a call \
of RudderStack's, which moves its `originalTimestamp` |
| `insert_id` | `messageId`; a further event of the same call has `-1`, `-2`, … after it |
| `session_id` | `integrations.Actions Amplitude.session_id`, else the call's own `session_id`, \
else `context.sessionId` |
| `groups` | `integrations.Amplitude.groups`; a group call's own |
| `event_id` | `integrations.Amplitude.event_id` |
| `$skip_user_properties_sync` | `integrations.Amplitude.skipUserPropertiesSync` |
| `platform` | `context.device.type`; `Web` from a browser |
| `idfa`, `adid` | `context.device.advertisingId`, else `context.device.idfa` |
{_rows(FIELDS)}
{_rows(COORDINATES)}
| `user_properties` | `traits`, else `context.traits` |
{_rows(TOUCHES, "user property ")}

The last ones are also kept as `initial_…`, once. What stands under `integrations.Amplitude` may
stand under `integrations.Actions Amplitude`, which counts first.
"""


def _cases() -> str:
    applicable = [case for case in range(TOTAL) if is_applicable(case)]
    agreed = [case for case in applicable if not different(case)]
    differences = "\n".join(
        f"| {name} | {difference.reason} | {_numbers(difference.cases)} |"
        for name, difference in DIFFERENCES.items()
    )
    others = "\n".join(f"- {reason} {_numbers(cases)}" for reason, cases in NOT_APPLICABLE.items())
    return f"""## Beside Segment's own cases

Segment's destination comes with {TOTAL} cases. {len(agreed)} agree, \
{len(applicable) - len(agreed)} differ on purpose, {TOTAL - len(applicable)} do not apply.

| difference | why | cases |
|---|---|---|
{differences}

Not applicable:

{others}
"""


def _rows(fields: Mapping[str, tuple[str, ...]], what: str = "") -> str:
    return "\n".join(
        f"| {what}`{field}` | `context.{'.'.join(path)}` |" for field, path in fields.items()
    )


def _numbers(cases: Collection[int]) -> str:
    return ", ".join(str(case) for case in sorted(cases))


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
