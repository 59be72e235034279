"""From what a search has found: the state of each record, for each destination. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ampgate.resend.parking import EDGE
from ampgate.resend.renames import Renames
from ampgate.trace.commits import Commits
from ampgate.trace.whereabouts import Evidence, State, Whereabouts, locate, whereabouts
from consumers.delivery.destination import Destination
from schemas.configuration.config import Config
from schemas.records import Stored
from schemas.suppressions import Suppressions

# Dead letters or parked records, by the origin and the destination that their headers name.
ByOrigin = Mapping[tuple[str | None, str | None], Sequence[Stored]]


def by_origin(records: Sequence[Stored], renames: Renames) -> ByOrigin:
    found: defaultdict[tuple[str | None, str | None], list[Stored]] = defaultdict(list)
    for record in records:
        found[record.header("origin"), renames.of(record)].append(record)
    return found


def locate_all(
    config: Config,
    parts: Sequence[Destination],
    records: Sequence[Stored],
    commits: Commits,
    letters: ByOrigin,
    parked: ByOrigin,
    suppressed: Suppressions,
) -> Iterator[Whereabouts]:
    held: dict[tuple[str, str, int, bytes | None], Whereabouts] = {}
    for record in records:
        for part in parts:
            if config.kafka.topics.of(part.kind) != record.topic:
                continue
            about = (record.origin, part.name)
            evidence = Evidence(
                commits.own[part.name, part.kind].get(record.partition),
                letters.get(about, ()),
                parked.get(about, ()),
                commits.parked[part.name, part.kind],
                suppressed,
            )
            found = locate(record, part, evidence)
            line = (part.name, record.topic, record.partition, record.key)
            if found.state is State.WAITING:
                # The commit note has a user's first held record; later ones wait behind it.
                ahead = held.get(line)
                if ahead is not None and (found.until or "") < (ahead.until or ""):
                    found = replace(found, reason=ahead.reason, until=ahead.until)
                elif found.until is not None:
                    held[line] = found
            yield found


def only_of(records: Sequence[Stored], located: Iterable[Whereabouts]) -> Iterator[Whereabouts]:
    meant = {(record.topic, record.partition, record.offset) for record in records}
    return (one for one in located if (one.topic, one.partition, one.offset) in meant)


def refused_by_edge(letter: Stored) -> Whereabouts:
    """Records that the edge refused: they are only in the dead letter topic."""
    return whereabouts(letter, EDGE, State.DEAD, letter.header("reason"))


def newest(found: list[Whereabouts], limit: int | None) -> list[Whereabouts]:
    """Of the newest records all lines, in the order that they had."""
    if limit is None:
        return found
    times = {(one.topic, one.partition, one.offset): one.time for one in found}
    newest = set(sorted(times, key=lambda place: (times[place], place))[-limit:])
    return [one for one in found if (one.topic, one.partition, one.offset) in newest]
