"""Patterns of the configuration, found in linear time (RE2). Pure.

They read as in Python: `\\d`, `\\w` and `\\s` know all of Unicode, `\\Z` is the end, `{,3}` is up
to three. Two things differ: `\\b` knows ASCII's letters only, and `$` does not stop before a last
line break. Patterns without linear time are refused: references to groups, lookahead, lookbehind.
"""

import re

import re2

MATCHES_MAX = 1_000  # In one text. With more, the whole text is replaced.
_MEMORY_BYTES = 8 * 2**20  # Of a compiled pattern; a larger one is refused.
_CLASSES = {"d": r"\p{Nd}", "w": r"\p{L}\p{N}_", "s": r"\s\v\x1c-\x1f\x{85}\p{Z}"}
_OTHERS_IN_BRACKETS = {
    "D": r"\P{Nd}",
    "S": r"\x00-\x08\x0e-\x1b\x21-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}"
    r"\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}",
}
_PART = re.compile(r"\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|\[\^?\]?|\{,(?=\d+\})|.", re.DOTALL)


class PatternError(ValueError):
    """The pattern has no linear time, or is not a regular expression."""


class Pattern:
    """A compiled pattern that replaces its matches in UTF-8 bytes."""

    def __init__(self, pattern: str) -> None:
        options = re2.Options()
        options.max_mem = _MEMORY_BYTES
        options.log_errors = False
        try:
            self._compiled = re2.compile(_in_re2(pattern).encode(), options)
        except (re2.error, UnicodeEncodeError) as error:
            raise PatternError(
                f"pattern is no regular expression of RE2: {_words(error)}"
            ) from error

    def replaced(self, text: bytes, replacement: bytes) -> bytes:
        """The text with all matches replaced, except empty ones."""
        kept: list[bytes] = []
        end = 0
        for number, match in enumerate(self._compiled.finditer(text)):
            if number == MATCHES_MAX:
                return replacement
            start, stop = match.span()
            if start < stop:
                kept.append(text[end:start])
                end = stop
        return replacement.join([*kept, text[end:]]) if kept else text


def _words(error: Exception) -> str:
    (said, *_) = error.args or ("",)
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)


def _in_re2(pattern: str) -> str:
    """The same pattern in RE2's syntax."""
    written: list[str] = []
    in_brackets = False
    for part in _PART.findall(pattern):
        if part[0] == "\\":
            written.append(_escape(part, in_brackets))
            continue
        if in_brackets:
            in_brackets = not part.endswith("]")
        elif part[0] == "[":
            in_brackets = True
        written.append("{0," if part == "{," and not in_brackets else part)
    return "".join(written)


def _escape(part: str, in_brackets: bool) -> str:
    name = part[1:2]
    if name in ("u", "U") and len(part) > 2:
        return rf"\x{{{part[2:]}}}"
    if part == r"\Z":
        return r"\z"
    inner = _CLASSES.get(name.lower())
    if inner is None:
        return part
    if not in_brackets:
        return f"[{inner}]" if name.islower() else f"[^{inner}]"
    if name.islower():
        return inner
    if name not in _OTHERS_IN_BRACKETS:
        raise PatternError(rf"pattern has {part} inside of [...]: write \P{{L}} or what is meant")
    return _OTHERS_IN_BRACKETS[name]
