"""Which users are suppressed now: the topic is searched for the keys that name them."""

from collections.abc import Collection

from ampgate.archive.archive import Archive
from ampgate.archive.batches import Wanted
from schemas.records import Stored
from schemas.suppressions import Suppressions
from schemas.topics import Topics


async def suppressions_of(kafka: Archive, topics: Topics) -> Suppressions:
    """As a delivery knows them; nobody where there is no such topic."""
    found = Suppressions()

    async def read(records: Collection[Stored]) -> None:
        found.read(records)

    if await kafka.has(topics.suppressions):
        await kafka.search(await kafka.spans(topics.suppressions), Wanted(), read)
    return found
