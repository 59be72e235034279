"""Models of the records that a producer may write; the JSON Schemas are generated from them.

Nothing is decoded into them: `schemas.events` reads only the members that decide. A test checks
that both accept the same; the other fields are Amplitude's.
"""

import re
from typing import Annotated, Any, Final, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field

from schemas.ids import INVALID_IDS


def _no_invalid_id() -> str:
    """A pattern without flags, for every dialect of regular expressions."""
    words = ("".join(_either_case(character) for character in word) for word in sorted(INVALID_IDS))
    return rf"^(?!\s*(?:{'|'.join(words)})\s*$)"


def _either_case(character: str) -> str:
    if character.isalpha():
        return f"[{character.upper()}{character}]"
    return character if character.isalnum() or character in "-/" else re.escape(character)


Id: TypeAlias = Annotated[str, Meta(pattern=_no_invalid_id())]
Object: TypeAlias = dict[str, Any]
UserId: TypeAlias = Annotated[
    Id | None, Meta(description="Who did it. Needed unless there is a device_id.")
]
DeviceId: TypeAlias = Annotated[
    Id | None, Meta(description="On which device. Needed unless there is a user_id.")
]
Time: TypeAlias = Annotated[
    int | None, Meta(description="Milliseconds since 1970-01-01 UTC. Absent: when it was accepted.")
]
InsertId: TypeAlias = Annotated[
    str | None, Meta(description="Amplitude keeps one event of each, for 7 days. Absent: made up.")
]
Groups: TypeAlias = Annotated[
    Object | None, Meta(description="Group type to a group's value, or to several.")
]
UserProperties: TypeAlias = Annotated[
    Object | None,
    Meta(
        description="Plain values, or the operations $set, $setOnce, $add, $append, $prepend, "
        "$unset, $preInsert, $postInsert, $remove, $clearAll."
    ),
]
GroupProperties: TypeAlias = Annotated[
    Object | None,
    Meta(
        description="Plain values, or the operations $set, $setOnce, $add, $append, $prepend, "
        "$unset."
    ),
]

# Requires a user, a device, or the group of a `$groupidentify` event without them.
HAS_ID: Final[list[Object]] = [
    {"type": "object", "required": [field], "properties": {field: {"type": "string"}}}
    for field in ("user_id", "device_id")
]
HAS_GROUP: Final[Object] = {
    "type": "object",
    "required": ["groups"],
    "properties": {
        "event_type": {"const": "$groupidentify"},
        "groups": {"type": "object", "minProperties": 1},
    },
}


class Plan(Struct):
    """The tracking plan that the event follows."""

    branch: str | UnsetType | None = UNSET
    source: str | UnsetType | None = UNSET
    version: str | UnsetType | None = UNSET
    version_id: str | UnsetType | None = field(default=UNSET, name="versionId")


class IngestionMetadata(Struct):
    """Which software sent the event."""

    source_name: str | UnsetType | None = UNSET
    source_version: str | UnsetType | None = UNSET


class Context(Struct, kw_only=True):
    """Where and on what it happened."""

    app_version: Annotated[str | None, Meta(description="Of the app.")] | UnsetType = UNSET
    platform: Annotated[str | None, Meta(description="Such as iOS or Web.")] | UnsetType = UNSET
    os_name: Annotated[str | None, Meta(description="Of the device.")] | UnsetType = UNSET
    os_version: Annotated[str | None, Meta(description="Of the device.")] | UnsetType = UNSET
    device_brand: Annotated[str | None, Meta(description="Such as Apple.")] | UnsetType = UNSET
    device_manufacturer: Annotated[str | None, Meta(description="Its maker.")] | UnsetType = UNSET
    device_model: Annotated[str | None, Meta(description="Its model.")] | UnsetType = UNSET
    carrier: Annotated[str | None, Meta(description="The mobile network.")] | UnsetType = UNSET
    country: Annotated[str | None, Meta(description="Absent: from the ip.")] | UnsetType = UNSET
    region: Annotated[str | None, Meta(description="Absent: from the ip.")] | UnsetType = UNSET
    city: Annotated[str | None, Meta(description="Absent: from the ip.")] | UnsetType = UNSET
    dma: Annotated[str | None, Meta(description="Designated market area.")] | UnsetType = UNSET
    language: Annotated[str | None, Meta(description="Such as en-US.")] | UnsetType = UNSET
    timezone: Annotated[str | None, Meta(description="IANA; only Aampe is told.")] | UnsetType = (
        UNSET
    )


class Event(Context, kw_only=True):
    """Something that somebody did: a record of the topic `events`."""

    event_type: Annotated[
        str,
        Meta(
            pattern=r"[^\s\x1c-\x1f\x85]",
            description="What happened; $identify and $groupidentify update.",
        ),
    ]
    user_id: UserId | UnsetType = UNSET
    device_id: DeviceId | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    insert_id: InsertId | UnsetType = UNSET
    event_properties: (
        Annotated[Object | None, Meta(description="Of this event; up to 40 levels deep.")]
        | UnsetType
    ) = UNSET
    user_properties: UserProperties | UnsetType = UNSET
    groups: Groups | UnsetType = UNSET
    group_properties: GroupProperties | UnsetType = UNSET
    skip_user_properties_sync: (
        Annotated[bool | None, Meta(description="Leave the user's properties alone.")] | UnsetType
    ) = field(default=UNSET, name="$skip_user_properties_sync")
    session_id: (
        Annotated[int | None, Meta(description="The session's start in ms; -1: none.")] | UnsetType
    ) = UNSET
    event_id: (
        Annotated[int | None, Meta(description="Orders events of one millisecond.")] | UnsetType
    ) = UNSET
    ip: (
        Annotated[str | None, Meta(description="IPv4, IPv6, or $remote: the sender's.")] | UnsetType
    ) = UNSET
    user_agent: Annotated[str | None, Meta(description="As sent.")] | UnsetType = UNSET
    price: Annotated[float | None, Meta(description="Negative: a refund.")] | UnsetType = UNSET
    quantity: Annotated[int | None, Meta(description="Absent: 1.")] | UnsetType = UNSET
    revenue: Annotated[float | None, Meta(description="Or give price.")] | UnsetType = UNSET
    product_id: Annotated[str | None, Meta(description="Of the product sold.")] | UnsetType = field(
        default=UNSET, name="productId"
    )
    revenue_type: Annotated[str | None, Meta(description="Such as refund.")] | UnsetType = field(
        default=UNSET, name="revenueType"
    )
    currency: Annotated[str | None, Meta(description="ISO 4217, as EUR.")] | UnsetType = UNSET
    location_lat: Annotated[float | None, Meta(description="Latitude.")] | UnsetType = UNSET
    location_lng: Annotated[float | None, Meta(description="Longitude.")] | UnsetType = UNSET
    idfa: Annotated[str | None, Meta(description="Apple's id for advertisers.")] | UnsetType = UNSET
    idfv: Annotated[str | None, Meta(description="Apple's id for vendors.")] | UnsetType = UNSET
    adid: Annotated[str | None, Meta(description="Google's advertising id.")] | UnsetType = UNSET
    android_id: Annotated[str | None, Meta(description="Of the device.")] | UnsetType = UNSET
    android_app_set_id: Annotated[str | None, Meta(description="Google's.")] | UnsetType = UNSET
    plan: Annotated[Plan | None, Meta(description="The tracking plan.")] | UnsetType = UNSET
    ingestion_metadata: (
        Annotated[IngestionMetadata | None, Meta(description="The sending software.")] | UnsetType
    ) = UNSET
    partner_id: Annotated[str | None, Meta(description="Of a partner.")] | UnsetType = UNSET
    library: Annotated[str | None, Meta(description="The SDK and version.")] | UnsetType = UNSET
    version_name: Annotated[str | None, Meta(description="Of the app.")] | UnsetType = UNSET


class Identification(Context, kw_only=True):
    """What is now known of somebody: a record of the topic `user-properties`."""

    user_id: UserId | UnsetType = UNSET
    device_id: DeviceId | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    insert_id: InsertId | UnsetType = UNSET
    user_properties: UserProperties | UnsetType = UNSET
    groups: Groups | UnsetType = UNSET


class GroupIdentification(Struct, kw_only=True):
    """What is now known of a group: a record of the topic `group-properties`."""

    group_type: Annotated[str, Meta(min_length=1, description="Such as company.")]
    group_value: Annotated[
        Annotated[str, Meta(min_length=1)] | int | float, Meta(description="Which group.")
    ]
    group_properties: GroupProperties | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    insert_id: InsertId | UnsetType = UNSET
