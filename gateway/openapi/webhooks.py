"""Webhooks in the OpenAPI document (amplemarket.md#webhooks). Pure."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.dialects.shapes import Endpoint
from gateway.openapi.shapes import (
    KEY,
    UNKNOWN_KEY,
    Described,
    Object,
    Refusal,
    Tree,
    json_of,
    json_or_text,
    parameter,
    reference,
)

_PATH_KEY: Final[Tree] = {"type": "string", "pattern": "^[^/]+$"}
_EXAMPLE: Final[Tree] = {
    "id": "reply-1",
    "is_reply": True,
    "labels": ["interested"],
    "dynamic_fields": {"email": "ann@example.org"},
}


class Webhook(Struct):
    """Amplemarket's JSON push: a reply, a stage of a sequence, or a workflow's message."""

    id: str | UnsetType = UNSET
    is_reply: bool | UnsetType = UNSET
    email_message: Annotated[Object, Meta(description="A workflow.")] | UnsetType = UNSET
    dynamic_fields: Annotated[Object, Meta(description="The prospect.")] | UnsetType = UNSET
    labels: list[str] | UnsetType = UNSET


class WebhookTaken(Struct, forbid_unknown_fields=True):
    """The webhook became an event, or a dead letter."""

    accepted: Annotated[int, Meta(ge=0)]
    rejected: Annotated[int, Meta(ge=0)]


MODELS: tuple[type[Struct], ...] = (Webhook, WebhookTaken)


def described(path: str, endpoint: Endpoint) -> Described:
    return Described(
        content=json_or_text(reference(Webhook)),
        example=_EXAMPLE,
        answers={
            200: ("Stored; what is no event, as a dead letter", json_of(WebhookTaken)),
            401: (UNKNOWN_KEY, json_of(Refusal)),
        },
        refusal=Refusal,
        parameters=(parameter("key", "path", _PATH_KEY, "The source's write key.", KEY),),
    )
