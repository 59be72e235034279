"""The first of an event's groups, which is the key of a record without ids."""

import re

import msgspec

# Of an object's first member its name, and its value or the first of several, if it is no object.
# The values of all are not decoded: they may take 30 times their text.
_FIRST = re.compile(
    rb'\{\s*+("(?:[^"\\]++|\\.)*+")\s*+:\s*+'
    rb'(?:\[\s*+)?+("(?:[^"\\]++|\\.)*+"|[^\s"{}\[\],]++)?+'
)


def first_group(groups: bytes) -> str | None:
    """`type:value` of an object that is known to be JSON; None if it is empty."""
    found = _FIRST.match(groups)
    if found is None:
        return None
    group_type, value = (msgspec.json.decode(token or b'""') for token in found.groups())
    return f"{group_type}:{value}"
