"""Segment's dialect in the OpenAPI document (segment.md#api). Pure."""

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.dialects.segment import Segment
from gateway.dialects.shapes import Endpoint
from gateway.openapi.shapes import (
    DEAD_LETTERS,
    KEY,
    UNKNOWN_KEY,
    Described,
    Object,
    Text,
    Tree,
    json_of,
    json_or_text,
    reference,
)

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class SegmentCall(Struct, rename="camel", kw_only=True):
    """What all calls of Segment's tracking API have in common."""

    user_id: Annotated[str, Meta(description="Or anonymousId.")] | UnsetType | None = UNSET
    anonymous_id: str | UnsetType | None = UNSET
    message_id: Annotated[str, Meta(description="The insert_id.")] | UnsetType = UNSET
    timestamp: Moment | UnsetType = UNSET
    original_timestamp: Moment | UnsetType = UNSET
    sent_at: Moment | UnsetType = UNSET
    context: Object | UnsetType = UNSET
    integrations: Object | UnsetType = UNSET
    write_key: Annotated[str, Meta(description="Without Basic auth.")] | UnsetType = UNSET


class SegmentTrack(SegmentCall, kw_only=True):
    event: Text
    properties: Object | UnsetType | None = UNSET


class SegmentIdentify(SegmentCall, kw_only=True):
    traits: Object | UnsetType | None = UNSET


class SegmentGroup(SegmentCall, kw_only=True):
    group_id: Text
    traits: Object | UnsetType | None = UNSET


class SegmentPage(SegmentCall, kw_only=True):
    name: str | UnsetType | None = UNSET
    category: str | UnsetType | None = UNSET
    properties: Object | UnsetType | None = UNSET


class SegmentScreen(SegmentPage, kw_only=True):
    pass


class SegmentAlias(SegmentCall, kw_only=True):
    previous_id: Text


class SegmentBatch(Struct, rename="camel", kw_only=True):
    """Calls, each with its `type`; what is said beside them holds for all."""

    batch: list[Object]
    context: Object | UnsetType = UNSET
    integrations: Object | UnsetType = UNSET
    sent_at: Moment | UnsetType = UNSET
    write_key: Annotated[str, Meta(description="Without Basic auth.")] | UnsetType = UNSET


class SegmentSuccess(Struct, forbid_unknown_fields=True):
    """What is usable was stored, the rest is kept as dead letters."""

    success: bool


class SegmentRefusal(Struct, forbid_unknown_fields=True):
    """Nothing was stored."""

    success: bool
    code: Annotated[str, Meta(pattern="^[a-z_]+$")]
    message: str
    error: Annotated[str, Meta(description="The same words.")]


_CALLS: Mapping[str, type[Struct]] = {
    "track": SegmentTrack,
    "identify": SegmentIdentify,
    "group": SegmentGroup,
    "page": SegmentPage,
    "screen": SegmentScreen,
    "alias": SegmentAlias,
    "batch": SegmentBatch,
}
MODELS: tuple[type[Struct], ...] = (*_CALLS.values(), SegmentSuccess, SegmentRefusal)
_CALL: Final[Tree] = {"userId": "ann@example.org", "writeKey": KEY}
_TRACK: Final[Tree] = {
    "type": "track",
    "event": "Order Completed",
    "userId": "ann@example.org",
    "properties": {"total": 42.5, "currency": "EUR"},
}
_EXAMPLES: Final[Mapping[str, Tree]] = {
    "track": _TRACK | _CALL,
    "identify": {"traits": {"plan": "pro"}} | _CALL,
    "group": {"groupId": "example-ltd", "traits": {"seats": 12}} | _CALL,
    "page": {"name": "Checkout", "properties": {"path": "/checkout"}} | _CALL,
    "screen": {"name": "Checkout"} | _CALL,
    "alias": {"previousId": "a-visitor"} | _CALL,
    "batch": {"batch": [_TRACK], "writeKey": KEY},
}


def described(path: str, endpoint: Endpoint) -> Described:
    assert isinstance(endpoint, Segment), path
    beacon: tuple[Tree, ...] = ({"segmentKeyInQuery": []},) if "beacon" in path else ()
    return Described(
        content=json_or_text(reference(_CALLS[endpoint.call])),
        example=_EXAMPLES[endpoint.call],
        answers={
            200: (DEAD_LETTERS, json_of(SegmentSuccess)),
            401: (UNKNOWN_KEY, json_of(SegmentRefusal)),
        },
        refusal=SegmentRefusal,
        security=({"basic": []}, *beacon, {}),  # The key may be in the body, too.
    )
