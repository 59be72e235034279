"""Properties of users and groups, and the operations on them (amplitude.md#property-operations).

The operations of one request are applied in the server's order, whatever order they came in:
clearAll, unset, set, setOnce, add, append, prepend, preInsert, postInsert, remove, plain keys.
"""

from collections.abc import Callable, Mapping
from math import isfinite

from ampgate.lab.simulators.model import Violations
from ampgate.lab.simulators.windows import Window

# Per user; what is beyond is ignored without a word (amplitude.md#request).
UPDATES_PER_HOUR = 1800
_HOUR_SECONDS = 3600

State = dict[str, object]
Operation = Callable[[State, str, object], None]

GROUP_OPERATIONS = frozenset(("$unset", "$set", "$setOnce", "$add", "$append", "$prepend"))
USER_OPERATIONS = GROUP_OPERATIONS | {"$clearAll", "$preInsert", "$postInsert", "$remove"}


class PropertyTable:
    """The current properties of every user, or of every group."""

    def __init__(self, operations: frozenset[str], violations: Violations) -> None:
        self._operations, self._violations = operations, violations
        self._states: dict[str, State] = {}
        self._updates = Window(_HOUR_SECONDS)
        self.ignored = 0

    def apply(self, owner: str, changes: Mapping[str, object], now: float) -> None:
        if not changes:
            return
        for misuse in misuses(changes, self._operations):
            self._violations.note(f"{misuse} for {owner!r}")
        self._updates.advance(now)
        if self._updates.total(owner) >= UPDATES_PER_HOUR:
            self.ignored += 1
            return
        self._updates.add({owner: 1}, now)
        apply_operations(self._states.setdefault(owner, {}), changes, self._operations)

    def of(self, owner: str) -> State | None:
        return self._states.get(owner)

    def __len__(self) -> int:
        return len(self._states)


def misuses(changes: Mapping[str, object], operations: frozenset[str]) -> list[str]:
    """What the documentation forbids, though the server is not known to refuse it."""
    found = [
        f"unknown operation {name}"
        for name in changes
        if name.startswith("$") and name not in operations
    ]
    known = [name for name in changes if name in operations]
    if known and len(known) < len(changes):
        found.append("operations mixed with plain keys")
    if "$clearAll" in known and len(changes) > 1:
        found.append("$clearAll with other operations")
    found += [
        f"{name} is not an object"
        for name in known
        if name != "$clearAll" and not isinstance(changes[name], dict)
    ]
    return found


def apply_operations(
    state: State, changes: Mapping[str, object], operations: frozenset[str] = USER_OPERATIONS
) -> None:
    if "$clearAll" in changes and "$clearAll" in operations:
        state.clear()
    for name, operation in _IN_ORDER.items():
        values = changes.get(name)
        if name in operations and isinstance(values, dict):
            for key, value in values.items():
                operation(state, key, value)
    for key, value in changes.items():
        if not key.startswith("$"):
            state[key] = value


def _unset(state: State, key: str, _value: object) -> None:
    state.pop(key, None)


def _set(state: State, key: str, value: object) -> None:
    state[key] = value


def _set_once(state: State, key: str, value: object) -> None:
    state.setdefault(key, value)


def _add(state: State, key: str, value: object) -> None:
    """Something that is not a number counts as 0; numeric strings are tolerated."""
    increment = _number(value)
    if increment is not None:
        state[key] = (_number(state.get(key)) or 0) + increment


def _append(state: State, key: str, value: object) -> None:
    state[key] = _list(state.get(key)) + _list(value)


def _prepend(state: State, key: str, value: object) -> None:
    state[key] = _list(value) + _list(state.get(key))


def _pre_insert(state: State, key: str, value: object) -> None:
    present = _list(state.get(key))
    state[key] = _missing(value, present) + present


def _post_insert(state: State, key: str, value: object) -> None:
    present = _list(state.get(key))
    state[key] = present + _missing(value, present)


def _remove(state: State, key: str, value: object) -> None:
    if key in state:
        gone = _list(value)
        state[key] = [entry for entry in _list(state[key]) if not _contains(gone, entry)]


_IN_ORDER: Mapping[str, Operation] = {
    "$unset": _unset,
    "$set": _set,
    "$setOnce": _set_once,
    "$add": _add,
    "$append": _append,
    "$prepend": _prepend,
    "$preInsert": _pre_insert,
    "$postInsert": _post_insert,
    "$remove": _remove,
}


def _number(value: object) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    for parse in (int, float):
        try:
            number = parse(value)
        except ValueError:
            continue
        return number if isfinite(number) else None
    return None


def _list(value: object) -> list[object]:
    """A property that is one value is a list of one; an absent one is empty."""
    if isinstance(value, list):
        return list(value)
    return [] if value is None else [value]


def _missing(value: object, present: list[object]) -> list[object]:
    missing: list[object] = []
    for entry in _list(value):
        if not _contains(present, entry) and not _contains(missing, entry):
            missing.append(entry)
    return missing


def _contains(entries: list[object], wanted: object) -> bool:
    """Equal as JSON is: `true` is not 1."""
    is_bool = isinstance(wanted, bool)
    return any(entry == wanted and isinstance(entry, bool) == is_bool for entry in entries)
