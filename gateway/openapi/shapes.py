"""What the parts of all dialects in the OpenAPI document share. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

Tree = dict[str, Any]
JSON: Final = "application/json"
TEXT: Final = "text/plain"
NDJSON: Final = "application/x-ndjson"
KEY: Final = "dev"  # The write key of `ampgate dev`, for examples that succeed as they stand.
UNKNOWN_KEY: Final = "Unknown write key"
MALFORMED: Final = "Malformed or refused; nothing was stored"
OVER_RATE: Final = "Over the source's rate"
DEAD_LETTERS: Final = "Stored; what is not usable, as dead letters"

Key = Annotated[str, Meta(min_length=1, description="The source's write key.")]
Text = Annotated[str, Meta(min_length=1)]
Object = dict[str, Any]
# The event of most examples.
EVENT: Final[Tree] = {
    "event_type": "Order Completed",
    "user_id": "ann@example.org",
    "event_properties": {"total": 42.5, "currency": "EUR"},
}
PROPERTIES: Final[Tree] = {
    "user_id": "ann@example.org",
    "user_properties": {"$set": {"plan": "pro"}, "$add": {"orders": 1}},
}
GROUP: Final[Tree] = {
    "group_type": "company",
    "group_value": "Example Ltd",
    "group_properties": {"$set": {"seats": 12}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One path of a dialect.

    `form` is a schema whose members may be query parameters; `answers` are the dialect's own, by
    status: words and content; `refusal` is the body of every other failure.
    """

    content: Tree
    example: Tree
    answers: Mapping[int, tuple[str, Tree]]
    refusal: type[Struct]
    security: tuple[Tree, ...] = ()  # Without any, the key is in the body or the path.
    parameters: tuple[Tree, ...] = ()
    form: Tree | None = None


class Refusal(Struct, forbid_unknown_fields=True):
    """Nothing was stored."""

    code: Annotated[int, Meta(description="The HTTP status.")]
    error: Annotated[str, Meta(description="Words for people.")]


def reference(model: type[Struct]) -> Tree:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def json_of(model: type[Struct]) -> Tree:
    return {JSON: {"schema": reference(model)}}


def json_or_text(schema: Tree) -> Tree:
    """JSON may come as `text/plain`: a page sends that to another origin without a preflight."""
    return {JSON: {"schema": schema}, TEXT: {"schema": schema}}


def parameter(
    name: str, place: str, schema: Tree, description: str, example: str | None = None
) -> Tree:
    required = place == "path" or name in ("api_key", "identification")
    described: Tree = {} if example is None else {"example": example}
    return described | {
        "name": name,
        "in": place,
        "required": required,
        "schema": schema,
        "description": description,
    }
