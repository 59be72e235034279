"""On which line of a TOML file a key stands, as far as a look at its lines tells. Pure."""

import re
from collections.abc import Mapping

TABLE = re.compile(r"\s*(\[\[?)\s*([^\]#]+?)\s*\]")
NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
KEY = re.compile(rf"\s*({NAME}(?:\s*\.\s*{NAME})*)\s*=")
PART = re.compile(NAME)


def lines_of(text: str) -> Mapping[str, int]:
    """By a key's path, as in `sources.0.name`, its line; tables have one, too."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := TABLE.match(line):
            table = _numbered(header[2], counts, is_list=header[1] == "[[")
            found.setdefault(table, number)
        elif key := KEY.match(line):
            path = ".".join(part.strip("\"'") for part in PART.findall(key[1]))
            found.setdefault(f"{table}.{path}" if table else path, number)
    return found


def line_of(path: str, lines: Mapping[str, int]) -> int | None:
    """The line of this key, list or the file that it is read from, else of what it is in."""
    while path:
        for name in (path, f"{path}_file", f"{path}.0"):
            if name in lines:
                return lines[name]
        path = path.rpartition(".")[0]
    return None


def _numbered(header: str, counts: dict[str, int], *, is_list: bool) -> str:
    """A table's path, with the place of each list's last entry."""
    parts = [part.strip("\"'") for part in PART.findall(header)]
    path = ""
    for index, part in enumerate(parts):
        path = f"{path}.{part}" if path else part
        if is_list and index == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = f"{path}.{counts[path]}"
    return path
