"""What deliveries say in their logs: a counter dies with its process, a line does not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

LOST = "offsets cannot be read any more, skipping them"


class Line(msgspec.Struct):
    """Offsets from `first` to `last`, with this one, if `message` says that they are lost."""

    message: str
    worker: str = ""
    topic: str = ""
    partition: int = 0
    first: int = 0
    last: int = 0


_line = msgspec.json.Decoder(Line)


def lost_in(logs: Iterable[Path]) -> Mapping[str, set[str]]:
    """By destination, the origins of which they say that they could not be read."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for log in logs:
        for line in log.read_bytes().splitlines():
            if LOST.encode() not in line:
                continue
            try:
                said = _line.decode(line)
            except msgspec.DecodeError:  # Its process was killed as it wrote.
                continue
            destination, _, _ = said.worker.partition("/")
            for offset in range(said.first, said.last + 1):
                found[destination].add(f"{said.topic}/{said.partition}/{offset}")
    return found
