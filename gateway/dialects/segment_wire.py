"""The members of a Segment call that are read, and how."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from schemas.decoding import NOT_DECODED
from schemas.events import ABSENT

Scalar: TypeAlias = str | int | float | bool | None
_NOT_PLAIN = b"[{"
_OPENING = ord("{")
_EMPTY = (b"null", b"[]")  # PHP writes an object without members as a list.


class Wire(Struct, gc=False, rename="camel"):
    """The members of a call. Where one value is expected, an object or an array becomes `True`: a
    boolean is none of what is expected, either.
    """

    type: Scalar = None
    event: Scalar = None
    name: Scalar = None
    category: Scalar = None
    user_id: Scalar = None
    anonymous_id: Scalar = None
    message_id: Scalar = None
    group_id: Scalar = None
    channel: Scalar = None
    timestamp: Scalar = None
    original_timestamp: Scalar = None
    sent_at: Scalar | UnsetType = UNSET
    session_id: Scalar = None
    own_session_id: Scalar = msgspec.field(default=None, name="session_id")
    context: Raw = ABSENT
    integrations: Raw = ABSENT
    properties: Raw = ABSENT
    traits: Raw = ABSENT


class Properties(Struct, gc=False):
    """The members that are read, of any JSON type."""

    name: Raw = ABSENT
    category: Raw = ABSENT
    price: Raw = ABSENT
    quantity: Raw = ABSENT
    revenue: Raw = ABSENT
    revenue_type: Raw = msgspec.field(default=ABSENT, name="revenueType")
    product_id: Raw = msgspec.field(default=ABSENT, name="productId")
    own_product_id: Raw = msgspec.field(default=ABSENT, name="product_id")
    products: Raw = ABSENT


_wire = msgspec.json.Decoder(Wire)
_names: Final = [field.encode_name for field in msgspec.structs.fields(Wire)]
_objects: Final = frozenset({"context", "integrations", "properties", "traits"})
# The same members, each as text.
_each: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    msgspec.defstruct("_Each", [(name, Raw, ABSENT) for name in _names])
)


def wires_of(values: Sequence[bytes]) -> Sequence[Wire | None]:
    """Of calls that are JSON; None of one that is no object, or far too deep."""
    try:
        return list(map(_wire.decode, values))
    except NOT_DECODED:
        return list(map(_wire_of, values))


def _wire_of(value: bytes) -> Wire | None:
    with suppress(*NOT_DECODED):
        return _wire.decode(value)
    with suppress(*NOT_DECODED):  # Few calls have an object or an array for a plain value.
        return _plain_wire_of(value)
    return None


def _plain_wire_of(value: bytes) -> Wire:
    each = _each.decode(value)
    given: dict[str, Raw] = {name: getattr(each, name) for name in _names}
    plain_ones = {
        name: True if memoryview(raw)[0] in _NOT_PLAIN and name not in _objects else raw
        for name, raw in given.items()
        if raw is not ABSENT
    }
    return _wire.decode(msgspec.json.encode(plain_ones))


def plain(raw: Raw) -> object:
    """A string, number, boolean or None; an object or an array stays JSON text."""
    if raw is ABSENT:
        return None
    return raw if memoryview(raw)[0] in _NOT_PLAIN else msgspec.json.decode(raw)


def is_object(raw: Raw) -> bool:
    return raw is not ABSENT and memoryview(raw)[0] == _OPENING


def filled(raw: Raw) -> Raw | None:
    """An object; absent if it has no members; None if it is something else."""
    if raw is ABSENT:
        return ABSENT
    text = b"" + raw  # Half of the time of `bytes`.
    if text[:2] == b'{"':
        return raw
    if not text.startswith(b"{"):
        return ABSENT if text in _EMPTY else None
    return raw if text[1:].lstrip()[:1] != b"}" else ABSENT
