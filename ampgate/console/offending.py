"""Which member of a dead letter's value is wrong, by its letter and by our own check. Pure."""

import re
from collections.abc import Iterator
from itertools import islice

from schemas.keys import READERS
from schemas.letters import LetterHeaders
from schemas.records import Stored
from schemas.strictness import Defect
from schemas.topics import Kind, Topics

_PATH = r"[A-Za-z_$][\w$-]*(?:\.[\w$-]+|\[\d+\])*"
# What a detail names: a word before a colon, in quotes, or with a dot or an underscore in it.
_NAMED = re.compile(rf"({_PATH})(?=\s*:)|[\"'`]({_PATH})[\"'`]|({_PATH})")
NAMED_MAX = 40
BELOW = ("", "event_properties.", "user_properties.", "group_properties.")


def offending_paths(letter: Stored, topics: Topics) -> list[str]:
    """The likeliest first; not all of them are in the value."""
    return list(dict.fromkeys(_paths(letter, topics)))


def _paths(letter: Stored, topics: Topics) -> Iterator[str]:
    said = LetterHeaders.decoded(letter.headers)
    kinds = {topics.of(kind): kind for kind in Kind}
    kind = kinds.get(said.origin.place.topic if said.origin is not None else "", Kind.EVENT)
    defect = READERS[kind](letter.value or b"")
    if isinstance(defect, Defect) and defect.field:
        yield defect.field
    for named, quoted, word in islice(_NAMED.findall(letter.header("detail") or ""), NAMED_MAX):
        if named or quoted or "_" in word or "." in word:
            yield from (below + _dotted(named or quoted or word) for below in BELOW)


def _dotted(path: str) -> str:
    """`items[0].price` as `items.0.price`."""
    return re.sub(r"\[(\d+)\]", r".\1", path)
