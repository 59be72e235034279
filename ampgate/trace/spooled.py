"""Records that are not in Kafka yet: they wait in the spool of an edge on this machine."""

from pathlib import Path

from ampgate.trace.trace import Search
from gateway.spool.reading import waiting
from schemas.records import Stored

NOWHERE = -1  # The partition and the offset of what has none.


def spooled(directory: Path, search: Search) -> list[Stored]:
    """Those that match. Raises `OSError` or `sqlite3.Error` if the spool cannot be read."""
    found = (
        Stored(entry.topic, NOWHERE, NOWHERE, entry.at_ms, one.key, one.value, one.headers)
        for entry in waiting(directory)
        if search.since_ms is None or entry.at_ms >= search.since_ms
        for one in entry.records
    )
    return [one for one in found if search.sought.matches(one)]
