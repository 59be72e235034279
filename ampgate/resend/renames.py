"""What destinations are called now: a dead letter keeps the name that its destination had.

`ampgate destinations rename` leaves a record in the parked topic that says both names and is for no
destination. A letter is the new destination's if it is older than that record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ampgate.archive.archive import Archive
from ampgate.archive.batches import Wanted
from schemas.records import Headers, Stored
from schemas.topics import Topics

FROM, TO = "renamed_from", "renamed_to"


class Rename(NamedTuple):
    at_ms: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Renames:
    """The oldest first."""

    all: Sequence[Rename] = ()

    def of(self, letter: Stored) -> str:
        """The name of a letter's destination now."""
        name, since_ms = letter.header("destination") or "", letter.timestamp
        for rename in self.all:
            if rename.old == name and rename.at_ms >= since_ms:
                name, since_ms = rename.new, rename.at_ms
        return name

    def names(self, destination: str) -> set[str]:
        """All that letters of this destination may say."""
        names = {destination}
        for rename in reversed(self.all):
            if rename.new in names:
                names.add(rename.old)
        return names


NONE = Renames()


def said(old: str, new: str) -> Headers:
    """The headers of the record that says so."""
    return [(FROM, old.encode()), (TO, new.encode())]


async def renames_of(kafka: Archive, topics: Topics) -> Renames:
    spans, wanted = await kafka.spans(topics.parked), Wanted([FROM.encode()])
    records = await kafka.find(spans, wanted, lambda one: one.header(FROM))
    found = [
        Rename(record.timestamp, old, new)
        for record in records
        if (old := record.header(FROM)) and (new := record.header(TO))
    ]
    return Renames(sorted(found))
