"""Whether a destination's function keeps its contract: pure, and the ids stay."""

from collections.abc import Callable
from copy import deepcopy
from pkgutil import resolve_name
from types import FunctionType
from typing import Any

from consumers.destinations.shaping.functions import Function
from schemas.topics import Kind

OURS = ("user_id", "device_id", "insert_id", "time", "group_type", "group_value")
_ABSENT = object()


class Watched:
    """Calls a function twice with each event, and tells once of each thing that it may not do."""

    def __init__(self, path: str, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._told: set[str] = set()
        self._raw: FunctionType | None = None

    def of(self, _name: str, function: Function) -> Function:
        """For `destinations_in`: the function has been imported."""
        raw = resolve_name(self._path)
        self._raw = raw if isinstance(raw, FunctionType) else None

        def call(event: dict[str, Any], kind: Kind) -> object:
            before = {name: event.get(name, _ABSENT) for name in OURS}
            state = self._state()
            again = deepcopy(event)
            result = function(event, kind)
            if self._state() != state:
                self._tell("changes what it shares with other calls: it must be pure")
            kept = deepcopy(result)
            if not _same(function, again, kind, kept):
                self._tell("is not pure: two calls with the same event differ")
            if isinstance(kept, dict):
                for name, value in before.items():
                    if kept.get(name, _ABSENT) != value:
                        self._tell(f"changes {name}: it stays as it was")
            return kept

        return call

    def _tell(self, fault: str) -> None:
        if fault not in self._told:
            self._told.add(fault)
            self._warn(f"transform {self._path} {fault}")

    def _state(self) -> dict[str, object]:
        """Values that it shares with other calls: globals that it names, cells, defaults."""
        if (raw := self._raw) is None:
            return {}
        shared = {name: raw.__globals__.get(name) for name in raw.__code__.co_names}
        shared |= {f"default {n}": one for n, one in enumerate(raw.__defaults__ or ())}
        for name, cell in zip(raw.__code__.co_freevars, raw.__closure__ or (), strict=True):
            shared[f"cell {name}"] = cell.cell_contents
        plain = (dict, list, set, int, float, str, tuple)
        return {name: deepcopy(one) for name, one in shared.items() if isinstance(one, plain)}


def _same(function: Function, event: dict[str, Any], kind: Kind, expected: object) -> bool:
    try:
        return function(event, kind) == expected
    except Exception:  # noqa: BLE001  The first call raised nothing.
        return False
