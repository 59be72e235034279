"""Bytes as pages show them: JSON with a member marked, text, or hexadecimal. Pure."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from schemas.decoding import NOT_DECODED

TEXT_MAX = 40_000  # Characters; a page with more is slow to read, and to draw.
HEX_BYTES_MAX = 1_024
HEX_WIDTH = 16
LINE_MAX = 1_200  # Of keys and headers.
_MEMBER = re.compile(r'"((?:[^"\\]|\\.)*)": ')
Piece = tuple[str, bool]  # Text, and whether it is marked.


@dataclass(frozen=True, slots=True)
class Shown:
    """`pieces` in order; `cut` says how much is not shown."""

    form: Literal["json", "text", "bytes", "none"]
    size: int
    pieces: Sequence[Piece]
    cut: str = ""


def shown(value: bytes | None, paths: Sequence[str] = ()) -> Shown:
    """The first of `paths` that there is is marked: as in `event_properties.items.0.price`."""
    if value is None:
        return Shown("none", 0, [("no value (a tombstone)", False)])
    text = _text_of(value)
    if text is None:
        more = f"the first {HEX_BYTES_MAX:,} of {len(value):,} bytes"
        cut = more if len(value) > HEX_BYTES_MAX else ""
        return Shown("bytes", len(value), [(hexadecimal(value[:HEX_BYTES_MAX]), False)], cut)
    form: Literal["json", "text"] = "text"
    pieces = [(text, False)]
    if (pretty := _pretty(value)) is not None:
        form, pieces = "json", list(marked(pretty, paths))
    pieces, is_cut = _cut(pieces)
    more = f"the first {TEXT_MAX:,} characters of {len(value):,} bytes"
    clean = [(visible(piece), is_marked) for piece, is_marked in pieces]
    return Shown(form, len(value), clean, more if is_cut else "")


def in_a_line(key: bytes | None) -> str:
    """A key or a header's value: one that is no text as hexadecimal."""
    if key is None:
        return "none"
    text = _text_of(key[:LINE_MAX], is_whole=len(key) <= LINE_MAX)
    told = visible(text) if text is not None else f"0x{key[:LINE_MAX].hex()}"
    return told if len(key) <= LINE_MAX else f"{told}…"


def visible(text: str) -> str:
    """What has no shape, or turns the text around it, as its escape."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text
    )


def hexadecimal(value: bytes) -> str:
    """As `xxd` shows them."""
    lines = []
    for at in range(0, len(value), HEX_WIDTH):
        part = value[at : at + HEX_WIDTH]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:08x}  {part.hex(' '):<{HEX_WIDTH * 3}} {text}")
    return "\n".join(lines)


def marked(pretty: str, paths: Sequence[str]) -> Iterator[Piece]:
    """Indented JSON with a member marked; all of it unmarked if there is none of these."""
    lines = pretty.split("\n")
    found = next(filter(None, (_span(lines, path) for path in paths)), None)
    if found is None:
        yield pretty, False
        return
    first, last = found
    for part, is_marked in ((lines[:first], False), (lines[first : last + 1], True)):
        if part:
            yield (
                "\n".join(part) + ("\n" if last + 1 < len(lines) or not is_marked else ""),
                is_marked,
            )
    if rest := lines[last + 1 :]:
        yield "\n".join(rest), False


def _span(lines: Sequence[str], path: str) -> tuple[int, int] | None:
    """The lines of the member: of a table or a list, up to its end."""
    for number, (names, depth) in enumerate(_places(lines)):
        if ".".join(names) == path:
            end = number
            if lines[number].endswith(("{", "[")):
                end += 1
                while end < len(lines) - 1 and _depth(lines[end]) > depth:
                    end += 1
            return number, end
    return None


def _places(lines: Sequence[str]) -> Iterator[tuple[list[str], int]]:
    """Of each line the path of its member, and its depth."""
    names: list[str] = []
    counts: list[int] = []
    for line in lines:
        depth = _depth(line)
        del names[max(0, depth - 1) :]
        del counts[depth:]
        counts += [0] * (depth - len(counts))
        rest = line.lstrip(" ")
        if depth and rest[:1] not in ("}", "]"):
            member = _MEMBER.match(rest)
            names.append(member[1] if member else str(counts[depth - 1]))
            counts[depth - 1] += 1
        yield list(names), depth


def _depth(line: str) -> int:
    return (len(line) - len(line.lstrip(" "))) // 2


def _cut(pieces: Sequence[Piece]) -> tuple[list[Piece], bool]:
    """Begin before what is marked, so that it is seen."""
    total = sum(len(text) for text, _ in pieces)
    if total <= TEXT_MAX:
        return list(pieces), False
    before = 0
    for text, is_marked in pieces:
        if is_marked:
            break
        before += len(text)
    else:
        before = 0
    skip = max(0, min(before - TEXT_MAX // 2, total - TEXT_MAX))
    kept: list[Piece] = []
    room = TEXT_MAX
    for text, is_marked in pieces:
        part = text[skip : skip + room]
        skip = max(0, skip - len(text))
        room -= len(part)
        if part:
            kept.append((part, is_marked))
    return kept, True


def _text_of(value: bytes, *, is_whole: bool = True) -> str | None:
    """None for bytes that are no text: not UTF-8, or with a NUL. A part may end in a character."""
    try:
        text = getincrementaldecoder("utf-8")().decode(value, final=is_whole)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _pretty(value: bytes) -> str | None:
    """Indented, with every number and string as it came; None if it is no JSON."""
    try:
        return msgspec.json.format(value, indent=2).decode()
    except NOT_DECODED:
        return None
