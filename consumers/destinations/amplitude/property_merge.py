"""Two queued updates of one user's or group's properties as one, if the effect is exactly the same.

Theory of operation. Properties are independent, so updates of different ones can be in one record,
and their operations may be applied in any order. Where both updates name one property, the second
operation is composed with the first into a single one: an SDK lets a property be used by one
operation only (amplitude.md#property-operations). Updates for which there is no such operation are
not merged; neither is what depends on something that Amplitude does not document: `null`, fractions
(their addition is not associative), several values put in front, an empty value under `$setOnce`,
or a record that breaks the rules: it may be refused, and others must not be refused with it.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from schemas.decoding import NOT_DECODED

# Limit of a group in one request (amplitude.md#group-identify); here used for users, too.
PROPERTIES_MAX = 1024
MERGED_MAX_BYTES = 32_768  # A merged record cannot be split when a 413 asks for it.

GROUP_OPERATIONS: Final = frozenset(("$unset", "$set", "$setOnce", "$add", "$append", "$prepend"))
USER_OPERATIONS: Final = GROUP_OPERATIONS | {"$preInsert", "$postInsert", "$remove"}


class Operation(NamedTuple):
    name: str
    value: Raw


Members: TypeAlias = dict[str, Raw]
Operations: TypeAlias = dict[str, Operation]  # Operations, by property.

_IDEMPOTENT = frozenset(("$set", "$setOnce", "$unset", "$preInsert", "$postInsert", "$remove"))
_NULL = Raw(b"null")
_EMPTY: Final[tuple[object, ...]] = (None, "", [], {})
_INTEGER = re.compile(rb"-?\d{1,15}")  # Numbers are exact as doubles below 2**53.
_NUMBER = re.compile(rb"-?\d[-+.\deE]*")
_members = msgspec.json.Decoder(Members)
_elements = msgspec.json.Decoder(list[Raw])
_encode = msgspec.json.Encoder().encode


def merged_identification(first: bytes, second: bytes) -> bytes | None:
    """One update with the effect of `first` and then `second`; `None` if that is not certain.

    The time is the second's. There is no `insert_id`: the update is neither of the two, and after a
    crash other records may be merged. So this is for `/identify`, never for `/batch`, which dedupes
    by it.
    """
    return _merged(first, second, "user_properties", USER_OPERATIONS)


def merged_group_identification(first: bytes, second: bytes) -> bytes | None:
    """The same for a group, for `/groupidentify`, which has fewer operations."""
    return _merged(first, second, "group_properties", GROUP_OPERATIONS)


def _merged(first: bytes, second: bytes, field: str, known: frozenset[str]) -> bytes | None:
    try:
        earlier, later = _members.decode(first), _members.decode(second)
        time = later.get("time")
        if not _is_in_order(earlier.pop("time", None), later.pop("time", None)):
            return None
        properties = _taken(earlier, field), _taken(later, field)
        # A platform without an os_name makes that one null (amplitude.md#identify): to say a field
        # is not the same as not to say it, but to say all of them twice is to say them once.
        if earlier != later:
            return None
        changes = _changes(*properties, known)
    except NOT_DECODED:
        return None  # A usable record may still hold an operation that is no object.
    if changes is None:
        return None
    times = {} if time is None else {"time": time}
    whole = _encode({**later, **times, field: changes})
    return whole if len(whole) <= MERGED_MAX_BYTES else None


def _is_in_order(earlier: Raw | None, later: Raw | None) -> bool:
    """It is not documented what the server does otherwise; order may matter then."""
    if earlier is None or later is None:
        return earlier is later
    times = _integer(earlier), _integer(later)
    return times[0] is not None and times[1] is not None and times[0] <= times[1]


def _taken(members: Members, field: str) -> Members:
    """The properties, taken out of the record, and its `insert_id` with them."""
    members.pop("insert_id", None)
    raw = members.pop(field, _NULL)
    return {} if raw == _NULL else _members.decode(raw)


def _changes(
    earlier: Members, later: Members, known: frozenset[str]
) -> Mapping[str, Raw | Members] | None:
    """The operations of the merged record."""
    first = _operations(earlier, known)
    if first is None:
        return None
    if later.keys() == {"$clearAll"} and known is USER_OPERATIONS:
        return later  # Earlier operations have no effect.
    second = _operations(later, known)
    if second is None:
        return None
    whole = first | second
    if len(whole) > PROPERTIES_MAX:
        return None
    for key in first.keys() & second.keys():
        composed = _composed(first[key], second[key])
        if composed is None:
            return None
        whole[key] = composed
    changes: dict[str, Members] = {}
    for key, (name, value) in whole.items():
        changes.setdefault(name, {})[key] = value
    return changes


def _operations(properties: Members, known: frozenset[str]) -> Operations | None:
    """The operation on each property; `None` where a rule is broken, or with `$clearAll`.

    Plain properties are such as are set. `$clearAll` excludes all others, so that nothing can be
    merged into it.
    """
    operations: Operations = {}
    plain = 0
    named = 0
    for name, raw in properties.items():
        if name in known:
            values = _members.decode(raw)
            if name == "$add" and not all(map(_NUMBER.fullmatch, values.values())):
                return None
            named += len(values)
            for key, value in values.items():
                operations[key] = Operation(name, value)
        elif name[:1] == "$":
            return None
        else:
            plain += 1
            operations[name] = Operation("$set", raw)
    is_mixed = 0 < plain < len(properties)
    is_used_twice = len(operations) < named + plain
    return None if is_mixed or is_used_twice else operations


def _composed(first: Operation, second: Operation) -> Operation | None:
    """The one operation on a property with the effect of `first` and then `second`, if any."""
    if first == second and second.name in _IDEMPOTENT:
        return second
    if second.value == _NULL:
        return None  # Official SDKs drop a null before they merge; the server may, too.
    match first.name, second.name:
        case _, "$set" | "$unset":
            return second
        case "$set" | "$setOnce", "$setOnce":
            return None if msgspec.json.decode(first.value) in _EMPTY else first
        case "$set" | "$add", "$add":
            return _sum(first, second)
        case "$set", "$append" if not bytes(first.value).startswith(b"["):
            return None
        case ("$set" | "$append", "$append") | ("$remove", "$remove"):
            return _joined(first, second)
        case "$postInsert", "$postInsert" if _is_disjoint(first, second):
            return _joined(first, second)
    return None


def _sum(first: Operation, second: Operation) -> Operation | None:
    """Add whole numbers only: `s + 0.1 + 0.2` is not `s + 0.3`.

    If `s` itself is a fraction, the last of its 53 bits may differ.
    """
    terms = _integer(first.value), _integer(second.value)
    if terms[0] is None or terms[1] is None:
        return None
    total = terms[0] + terms[1]
    if total == 0 and first.name == "$add":
        return None  # Whether adding nothing creates a property is not known.
    return Operation(first.name, Raw(b"%d" % total))


def _joined(first: Operation, second: Operation) -> Operation | None:
    """All values of both, in order; a value that is no array counts as an array of it alone."""
    if first.value == _NULL:
        return None
    return Operation(first.name, Raw(_encode(_values(first) + _values(second))))


def _is_disjoint(first: Operation, second: Operation) -> bool:
    """Whether no value is in both; certain for strings only: 1.0 and 1 may count as equal."""
    values = [msgspec.json.decode(raw) for raw in _values(first) + _values(second)]
    if not all(isinstance(value, str) for value in values):
        return False
    count = len(_values(first))
    return set(values[:count]).isdisjoint(values[count:])


def _values(operation: Operation) -> list[Raw]:
    value = operation.value
    return _elements.decode(value) if bytes(value).startswith(b"[") else [value]


def _integer(raw: Raw) -> int | None:
    return int(bytes(raw)) if _INTEGER.fullmatch(raw) else None
