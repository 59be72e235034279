"""The edge's answers, as models: every dialect's in its vendor's shapes (amplitude.md#request to
segment.md#api).
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

Indexes = Annotated[list[int], Meta(description="Of events of the request.")]
ByField = Annotated[dict[str, list[int]], Meta(description="Field to indexes of events.")]


class Refusal(Struct, forbid_unknown_fields=True):
    """Nothing was stored."""

    code: Annotated[int, Meta(description="The HTTP status.")]
    error: Annotated[str, Meta(description="Words for people.")]


class Rejected(Struct, forbid_unknown_fields=True):
    """A record that is not usable; it is kept as a dead letter."""

    index: Annotated[int, Meta(ge=0, description="Its place in the request.")]
    reason: Annotated[str, Meta(pattern="^[a-z_]+$", description="A stable snake_case code.")]
    field: Annotated[str, Meta(description="The field that is wrong, or empty.")]
    message: Annotated[str, Meta(description="Words for people.")]


class Receipt(Struct, forbid_unknown_fields=True):
    """Under which id a record was stored."""

    index: Annotated[int, Meta(ge=0, description="Its place in the request.")]
    insert_id: str


class Accepted(Struct, forbid_unknown_fields=True):
    """What became of each record."""

    accepted: Annotated[int, Meta(ge=0, description="How many were stored.")]
    rejected: list[Rejected]
    records: Annotated[list[Receipt], Meta(description="With ?receipts=true.")] | UnsetType = UNSET


class Uploaded(Struct, forbid_unknown_fields=True):
    """All events were stored."""

    code: int
    events_ingested: Annotated[int, Meta(ge=0)]
    payload_size_bytes: Annotated[int, Meta(ge=0)]
    server_upload_time: Annotated[int, Meta(description="Milliseconds since 1970-01-01 UTC.")]


class UploadRefusal(Struct, forbid_unknown_fields=True):
    """Nothing was stored; the indexes name the events that are to blame."""

    code: int
    error: str
    missing_field: Annotated[str, Meta(description="Of the request.")] | UnsetType = UNSET
    events_with_invalid_fields: ByField | UnsetType = UNSET
    events_with_missing_fields: ByField | UnsetType = UNSET
    events_with_invalid_id_lengths: ByField | UnsetType = UNSET
    silenced_devices: list[str] | UnsetType = UNSET
    silenced_events: Indexes | UnsetType = UNSET


class Throttled(Struct, forbid_unknown_fields=True):
    """Nothing was stored; the named events may be sent again."""

    code: int
    error: str
    eps_threshold: Annotated[int, Meta(description="Events a second of the source.")]
    throttled_devices: dict[str, int]
    throttled_users: dict[str, int]
    throttled_events: Indexes


class SegmentSuccess(Struct, forbid_unknown_fields=True):
    """What is usable was stored, the rest is kept as dead letters."""

    success: bool


class SegmentRefusal(Struct, forbid_unknown_fields=True):
    """Nothing was stored."""

    success: bool
    code: Annotated[str, Meta(pattern="^[a-z_]+$")]
    message: str


class AampeDetail(Struct, forbid_unknown_fields=True):
    """One field that is wrong."""

    type: str
    loc: list[str | int]
    msg: str
    input: Annotated[Any, Meta(description="Left out where it is long.")] | UnsetType = UNSET
    ctx: dict[str, Any] | UnsetType = UNSET


class AampeRefusal(Struct, forbid_unknown_fields=True):
    """Nothing was stored."""

    detail: str | list[AampeDetail]


class WebhookTaken(Struct, forbid_unknown_fields=True):
    """The webhook became an event, or a dead letter."""

    accepted: Annotated[int, Meta(ge=0)]
    rejected: Annotated[int, Meta(ge=0)]


MODELS: tuple[type[Struct], ...] = (
    *(Refusal, Accepted, Uploaded, UploadRefusal, Throttled),
    *(SegmentSuccess, SegmentRefusal, AampeRefusal, WebhookTaken),
)
