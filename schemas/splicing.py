"""Add members to a record, or remove them; all others stay byte for byte. Pure."""

import msgspec
from msgspec import Raw

_object = msgspec.json.Decoder(dict[str, Raw])
_EMPTY_OR_SPACE = b"{ \t\r\n"
_END = ord("}")


def with_members(value: bytes, members: bytes) -> bytes:
    """The same object with `members` (such as `b'"time":1'`) at its end.

    Of members with the same name, the last one counts for every parser that reads records.
    """
    if value[-1] == _END and value[-2] not in _EMPTY_OR_SPACE:  # The usual case.
        return b"".join((value[:-1], b",", members, b"}"))
    head = value[: value.rindex(b"}")]
    if head[-1] in _EMPTY_OR_SPACE and head.strip() == b"{":
        return b"%b%b}" % (head, members)
    return b"%b,%b}" % (head, members)


def with_end(value: bytes, end: bytes) -> bytes:
    """As `with_members` of an object that has members, in half of the time; `end` is what then
    stands behind these, such as `b',"time":1}'`.
    """
    return (value[:-1] if value[-1] == _END else value[: value.rindex(b"}")]) + end


def without(value: bytes, *names: str) -> bytes:
    """The same object without those members, such as a `null` to be replaced."""
    members = _object.decode(value)
    return msgspec.json.encode({name: raw for name, raw in members.items() if name not in names})
