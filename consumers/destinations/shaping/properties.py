"""`drop_properties`: patterns of dotted paths, below the properties of a record. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Any, TypeAlias

REMEMBERED_MAX = 10_000  # Answers of a pattern: names come from outside.
NEVER = "(?!)"
USUAL_PARENT = "event_properties"
PARENTS = (USUAL_PARENT, "user_properties", "group_properties")
Matches: TypeAlias = Callable[[str], bool]


def matcher(patterns: Iterable[str]) -> Matches:
    """Whether one of these shell patterns matches all of a text; case counts."""
    compiled = re.compile("|".join(f"(?:{translate(one)})" for one in patterns) or NEVER)
    return lru_cache(REMEMBERED_MAX)(lambda text: compiled.match(text) is not None)


class Drop:
    """Removes the properties that the patterns name: the whole of each, also inside of lists."""

    def __init__(self, patterns: Sequence[str]) -> None:
        by_parent: dict[str, list[str]] = {}
        for pattern in patterns:
            parent, dot, path = pattern.partition(".")
            if dot and parent in PARENTS:
                by_parent.setdefault(parent, []).append(path)
            else:
                by_parent.setdefault(USUAL_PARENT, []).append(pattern)
        self._by_parent: Mapping[str, Matches] = {
            parent: matcher(some) for parent, some in by_parent.items()
        }

    def of(self, record: dict[str, Any]) -> bool:
        """Whether something was removed; the record is changed in place."""
        removed = False
        for parent, matches in self._by_parent.items():
            if isinstance(properties := record.get(parent), dict):
                operated = parent != USUAL_PARENT
                removed |= _removed_from(properties, matches, operated=operated)
        return removed


def is_empty(properties: Mapping[str, Any]) -> bool:
    """Whether an update with these would change nothing: each operation in it has no property."""
    return not any(value or not name.startswith("$") for name, value in properties.items())


def _removed_from(properties: dict[str, Any], matches: Matches, *, operated: bool) -> bool:
    """What is below an operation, such as `$set`, has the names of the properties again."""
    removed = False
    for name, value in list(properties.items()):
        if operated and name.startswith("$"):
            removed |= isinstance(value, dict) and _removed(value, "", matches)
        else:
            removed |= _removed_one(properties, name, "", matches)
    return removed


def _removed(node: dict[str, Any], path: str, matches: Matches) -> bool:
    removed = False
    for name in list(node):
        removed |= _removed_one(node, name, path, matches)
    return removed


def _removed_one(node: dict[str, Any], name: str, path: str, matches: Matches) -> bool:
    if matches(path + name):
        del node[name]
        return True
    return _removed_below(node[name], f"{path}{name}.", matches)


def _removed_below(value: Any, path: str, matches: Matches) -> bool:  # noqa: ANN401  JSON.
    if isinstance(value, dict):
        return _removed(value, path, matches)
    removed = False
    if isinstance(value, list):
        for one in value:
            removed |= _removed_below(one, path, matches)
    return removed
