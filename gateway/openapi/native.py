"""Our own dialect in the OpenAPI document. Pure."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.dialects.shapes import Endpoint
from gateway.openapi.shapes import (
    EVENT,
    GROUP,
    NDJSON,
    PROPERTIES,
    UNKNOWN_KEY,
    Described,
    Refusal,
    Tree,
    json_of,
    json_or_text,
    parameter,
    reference,
)
from schemas import documents
from schemas.topics import Kind

_EXAMPLES: Final = {
    Kind.EVENT: EVENT,
    Kind.USER_PROPERTIES: PROPERTIES,
    Kind.GROUP_PROPERTIES: GROUP,
}


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


MODELS: tuple[type[Struct], ...] = (Accepted,)


def described(path: str, endpoint: Endpoint) -> Described:
    record = reference(documents.MODELS[endpoint.kind])
    records = {"type": "array", "items": record, "minItems": 1}
    member = "events" if endpoint.kind is Kind.EVENT else "updates"
    envelope: Tree = {"type": "object", "properties": {member: records}, "required": [member]}
    body: Tree = {"anyOf": [record, records, envelope]}
    words = "Whether to answer with each record's insert_id."
    return Described(
        content=json_or_text(body) | {NDJSON: {"schema": records}},
        example=_EXAMPLES[endpoint.kind],
        answers={
            202: ("Stored, at least one", json_of(Accepted)),
            401: (UNKNOWN_KEY, json_of(Refusal)),
            422: ("None was usable; all are kept as dead letters", json_of(Accepted)),
        },
        refusal=Refusal,
        security=({"bearer": []}, {"keyInQuery": []}),
        parameters=(parameter("receipts", "query", {"type": "boolean"}, words),),
    )
