"""The log messages of the processes, as the code writes them.

Each is a call of a logger (`log.error("…", field=…)`) in one of the rooms, found
in the source's tree. A message that is not a plain text there cannot be documented: an error.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("gateway", "consumers", "schemas", "ampgate")
NOT_ON_SERVERS = ROOT / "ampgate" / "lab"
LOGGERS = {"log", "errors"}
LEVELS = {"info": "info", "warning": "warning", "error": "error", "exception": "error"}
ADDED = {"exc_info"}  # A traceback, under the name that logging gives it.


@dataclass(frozen=True, slots=True)
class Message:
    """What is logged at one or more places of a room, and all fields that it may have."""

    room: str
    text: str
    levels: tuple[str, ...]
    fields: tuple[str, ...]


def messages() -> Mapping[tuple[str, str], Message]:
    """By room and text, in the order of both."""
    found: dict[tuple[str, str], Message] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if NOT_ON_SERVERS in path.parents:
                continue
            for one in messages_of(path.read_text(), room, str(path.relative_to(ROOT))):
                known = found.get((room, one.text), one)
                found[room, one.text] = Message(
                    room,
                    one.text,
                    tuple(dict.fromkeys(known.levels + one.levels)),
                    tuple(dict.fromkeys(known.fields + one.fields)),
                )
    return dict(sorted(found.items()))


def messages_of(source: str, room: str, name: str) -> Iterator[Message]:
    tree = ast.parse(source)
    chosen = dict(chosen_methods(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        levels = levels_of(node.func, chosen)
        if not levels:
            continue
        match node.args:
            case [ast.Constant(value=str(text)), *_]:
                fields = [one.arg for one in node.keywords if one.arg and one.arg not in ADDED]
                yield Message(room, text, levels, tuple(fields))
            case [ast.Name()] if name == "consumers/bounded_log.py":
                pass  # It passes on what others say: they are found where they say it.
            case _:
                raise AssertionError(f"{name}:{node.lineno}: a message is a text, and fields")


def levels_of(called: ast.expr, chosen: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """`log.error(…)`, `self._log.error(…)`, or a name that stands for one of those."""
    match called:
        case ast.Attribute(value=ast.Name(id=logger), attr=method):
            return level(logger, method)
        case ast.Attribute(value=ast.Attribute(attr=logger), attr=method):
            return level(logger.removeprefix("_"), method)
        case ast.Name(id=name):
            return chosen.get(name, ())
    return ()


def level(logger: str, method: str) -> tuple[str, ...]:
    return (LEVELS[method],) if logger in LOGGERS and method in LEVELS else ()


def chosen_methods(tree: ast.AST) -> Iterable[tuple[str, tuple[str, ...]]]:
    """`say = log.error if … else log.warning`: the name, and both levels."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.IfExp(body=one, orelse=other)):
                if levels := levels_of(one, {}) + levels_of(other, {}):
                    yield name, levels
