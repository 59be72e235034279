"""The members of a record that a plan speaks of, by the record's kind. Pure.

An update may have members of any other name, of any type: an `event_type` that is null, for one.
Nobody reads them.
"""

from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from schemas.topics import Kind

Properties: TypeAlias = dict[str, Any]


class Members(Struct, gc=False):
    """Of any kind."""

    event_type: str = ""
    event_properties: Properties | None = None
    user_properties: Properties | None = None
    group_properties: Properties | None = None


class _OfUser(Struct, gc=False):
    user_properties: Properties | None = None


class _OfGroup(Struct, gc=False):
    group_properties: Properties | None = None


_event = msgspec.json.Decoder(Members)
_user = msgspec.json.Decoder(_OfUser)
_group = msgspec.json.Decoder(_OfGroup)


def members_of(kind: Kind, value: bytes) -> Members:
    """msgspec's errors if it is no record of that kind."""
    match kind:
        case Kind.EVENT:
            return _event.decode(value)
        case Kind.USER_PROPERTIES:
            return Members(user_properties=_user.decode(value).user_properties)
        case Kind.GROUP_PROPERTIES:
            return Members(group_properties=_group.decode(value).group_properties)
