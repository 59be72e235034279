"""Aampe's dialect in the OpenAPI document (aampe.md#events). Pure."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.dialects.shapes import Endpoint
from gateway.openapi.shapes import (
    JSON,
    UNKNOWN_KEY,
    Described,
    Object,
    Tree,
    json_of,
    json_or_text,
    reference,
)
from schemas.models import Id
from schemas.topics import Kind

# Not only white space as Python defines it, which is more than other regular expressions do.
Word = Annotated[str, Meta(pattern=r"[^\s\x1c-\x1f\x85]")]
Seconds = Annotated[float, Meta(ge=0, lt=10_000_000_000, description="Since 1970-01-01 UTC.")]
_BOTH: Final[Tree] = {"contact_id": "ann@example.org", "timestamp": 1767225600.5}
_EVENT: Final = _BOTH | {"event_name": "Order Completed", "metadata": {"total": 42.5}}
_UPDATE: Final = _BOTH | {"user_properties": {"plan": "pro"}}


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


MODELS: tuple[type[Struct], ...] = (AampeEvent, AampeProperties, AampeRefusal)


def described(path: str, endpoint: Endpoint) -> Described:
    is_event = endpoint.kind is Kind.EVENT
    return Described(
        content=json_or_text(reference(AampeEvent if is_event else AampeProperties)),
        example=_EVENT if is_event else _UPDATE,
        answers={
            202: ("Stored", {JSON: {"schema": {"type": "null"}}}),
            401: (UNKNOWN_KEY, json_of(AampeRefusal)),
            422: ("Not usable; nothing was stored", json_of(AampeRefusal)),
        },
        refusal=AampeRefusal,
        security=({"bearer": []},),
    )
