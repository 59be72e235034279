"""Servers as Amplitude's may be: the documented one, and others where nothing is documented.

The documented one is the simulator's (amplitude.md#property-operations). Each of the others differs
from it in one
thing that the documentation leaves open, so that what must be exact can be seen to be so in all.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy

import orjson

from ampgate.lab.simulators.properties import apply_operations

State = dict[str, object]
Server = Callable[[State, str, str, object], None]
Changes = Mapping[str, object]

EMPTY: tuple[object, ...] = (None, "", [], {})


def applied(server: Server, state: State, updates: Iterable[Changes]) -> bytes:
    """The properties that `updates` leave behind, one after the other, as sorted JSON."""
    state = deepcopy(state)
    for changes in updates:
        if "$clearAll" in changes:
            state.clear()
        for name, values in changes.items():
            if not name.startswith("$"):
                server(state, "$set", name, values)
            elif isinstance(values, dict):
                for key, value in values.items():
                    server(state, name, key, value)
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)


def documented(state: State, name: str, key: str, value: object) -> None:
    apply_operations(state, {name: {key: value}})


def null_says_nothing(state: State, name: str, key: str, value: object) -> None:
    if value is not None:
        documented(state, name, key, value)


def empty_is_absent(state: State, name: str, key: str, value: object) -> None:
    if name == "$setOnce" and state.get(key) in EMPTY:
        name = "$set"
    documented(state, name, key, value)


def unset_leaves_null(state: State, name: str, key: str, value: object) -> None:
    if name == "$unset":
        state[key] = None
    else:
        documented(state, name, key, value)


def adds_to_numbers_only(state: State, name: str, key: str, value: object) -> None:
    if name != "$add" or type(state.get(key, 0)) in (int, float):
        documented(state, name, key, value)


def adds_no_zero(state: State, name: str, key: str, value: object) -> None:
    if name != "$add" or value != 0:
        documented(state, name, key, value)


def adds_no_fractions_exactly(state: State, name: str, key: str, value: object) -> None:
    """A sum of fractions depends on the order of adding; 0.1 stands for each of them."""
    if name == "$add" and isinstance(value, float):
        state[key] = [state.get(key), value]
    else:
        documented(state, name, key, value)


def puts_in_front_one_by_one(state: State, name: str, key: str, value: object) -> None:
    is_several = name in ("$prepend", "$preInsert") and value != []
    for one in _list(value) if is_several else [value]:
        documented(state, name, key, one)


def appends_null(state: State, name: str, key: str, value: object) -> None:
    documented(state, name, key, [None] if name == "$append" and value is None else value)


def appends_to_lists_only(state: State, name: str, key: str, value: object) -> None:
    if name != "$append" or isinstance(state.get(key, []), list):
        documented(state, name, key, value)


def inserts_what_is_twice_in_the_value(state: State, name: str, key: str, value: object) -> None:
    if name == "$postInsert":
        present = _list(state.get(key))
        state[key] = present + [one for one in _list(value) if one not in present]
    else:
        documented(state, name, key, value)


def inserts_what_is_loosely_missing(state: State, name: str, key: str, value: object) -> None:
    """1 and "1" are the same."""
    if name == "$postInsert":
        present = _list(state.get(key))
        for one in _list(value):
            if str(one) not in map(str, present):
                present.append(one)
        state[key] = present
    else:
        documented(state, name, key, value)


def removes_from_lists_only(state: State, name: str, key: str, value: object) -> None:
    if name != "$remove" or isinstance(state.get(key), list):
        documented(state, name, key, value)


def removes_emptied_lists(state: State, name: str, key: str, value: object) -> None:
    documented(state, name, key, value)
    if name == "$remove" and state.get(key) == []:
        del state[key]


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return list(value)
    return [] if value is None else [value]


SERVERS: tuple[Server, ...] = (
    documented,
    null_says_nothing,
    empty_is_absent,
    unset_leaves_null,
    adds_to_numbers_only,
    adds_no_zero,
    adds_no_fractions_exactly,
    puts_in_front_one_by_one,
    appends_null,
    appends_to_lists_only,
    inserts_what_is_twice_in_the_value,
    inserts_what_is_loosely_missing,
    removes_from_lists_only,
    removes_emptied_lists,
)
