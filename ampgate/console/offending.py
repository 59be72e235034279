"""Which member of a dead letter's value is wrong, by its letter and by our own check. Pure."""

import re
from collections.abc import Iterator

from schemas.events import read_event, read_group_identification, read_identification
from schemas.letters import LetterHeaders
from schemas.records import Stored
from schemas.strictness import Defect
from schemas.topics import Kind, Topics

READERS = {
    Kind.EVENT: read_event,
    Kind.USER_PROPERTIES: read_identification,
    Kind.GROUP_PROPERTIES: read_group_identification,
}
_NAMED = re.compile(r"([A-Za-z_$][\w$ -]*(?:\.[\w$ -]+|\[\d+\])*):")  # `time: {"code":400,…`.
_WORD = re.compile(r"[A-Za-z_$][\w$]*(?:\.[\w$-]+|\[\d+\])*")
WORDS_MAX = 12


def offending_paths(letter: Stored, topics: Topics) -> list[str]:
    """The likeliest first; not all of them are in the value."""
    return list(dict.fromkeys(_paths(letter, topics)))


def _paths(letter: Stored, topics: Topics) -> Iterator[str]:
    said = LetterHeaders.decoded(letter.headers)
    detail = letter.header("detail") or ""
    if named := _NAMED.match(detail):
        yield _dotted(named[1])
    kinds = {topics.of(kind): kind for kind in Kind}
    kind = kinds.get(said.origin.place.topic if said.origin is not None else "", Kind.EVENT)
    defect = READERS[kind](letter.value or b"")
    if isinstance(defect, Defect) and defect.field:
        yield defect.field
    for word in _WORD.findall(detail.partition("{")[0])[:WORDS_MAX]:
        if "_" in word or "." in word:
            yield _dotted(word)


def _dotted(path: str) -> str:
    """`items[0].price` as `items.0.price`."""
    return re.sub(r"\[(\d+)\]", r".\1", path)
