"""What the dialects read, as models: what their vendors document (amplitude.md#request to
amplemarket.md#webhooks).
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.models import Event, Id

Key = Annotated[str, Meta(min_length=1, description="The source's write key.")]
Text = Annotated[str, Meta(min_length=1)]
# Not only white space as Python defines it, which is more than other regular expressions do.
Word = Annotated[str, Meta(pattern=r"[^\s\x1c-\x1f\x85]")]
Object = dict[str, Any]
Seconds = Annotated[float, Meta(ge=0, lt=10_000_000_000, description="Since 1970-01-01 UTC.")]
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class UploadOptions(Struct):
    """Options of an upload."""

    min_id_length: (
        Annotated[int, Meta(ge=0, description="Of user_id and device_id. Absent: 5.")] | UnsetType
    ) = UNSET


class Upload(Struct):
    """Amplitude's HTTP API V2, and its Batch API."""

    api_key: Key
    events: list[Event]
    options: UploadOptions | UnsetType | None = UNSET


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


class AampeEvent(Struct):
    contact_id: Id
    event_name: Word
    timestamp: Seconds
    timezone: str | UnsetType | None = UNSET
    event_id: str | UnsetType | None = UNSET
    metadata: Object | UnsetType | None = UNSET


class AampeProperties(Struct):
    contact_id: Id
    timestamp: Seconds
    user_properties: Object
    event_name: str | UnsetType | None = UNSET
    event_id: str | UnsetType | None = UNSET
    metadata: Object | UnsetType | None = UNSET


class Webhook(Struct):
    """Amplemarket's JSON push: a reply, a stage of a sequence, or a workflow's message."""

    id: str | UnsetType = UNSET
    is_reply: bool | UnsetType = UNSET
    email_message: Annotated[Object, Meta(description="A workflow.")] | UnsetType = UNSET
    dynamic_fields: Annotated[Object, Meta(description="The prospect.")] | UnsetType = UNSET
    labels: list[str] | UnsetType = UNSET


SEGMENT_CALLS: dict[str, type[Struct]] = {
    "track": SegmentTrack,
    "identify": SegmentIdentify,
    "group": SegmentGroup,
    "page": SegmentPage,
    "screen": SegmentScreen,
    "alias": SegmentAlias,
    "batch": SegmentBatch,
}
MODELS: tuple[type[Struct], ...] = (
    Upload,
    *SEGMENT_CALLS.values(),
    AampeEvent,
    AampeProperties,
    Webhook,
)
