"""What is committed beside an offset: for the next owner of the partition, and for `ampgate trace`.

As JSON, `{"committed": 97, "read": 120, "unsettled": [0, 1, 12, 10], "paused": null,
"held": {"97": ["user", "throttled", 1763715600.125]}}`: `committed` is the offset that it stands
beside; `read` the next one to be read; `unsettled` tells in turn how many offsets are settled and
how many may not be, from the committed one on: here those of 97 and of 110 to 119; `paused` says
why the destination is; and `held` by whose clock some wait, why, and until when.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from consumers.delivery.clocks import Held
from consumers.delivery.offsets import Range, Unfinished

BYTES_MAX = 4000  # A broker takes 4096 (`offset.metadata.max.bytes`).
RANGES_MAX = 400  # More would seldom fit.


@dataclass(frozen=True, slots=True)
class CommitNote:
    left: Unfinished
    paused: str | None
    held: Mapping[int, Held]  # By offset, and not of all.


class _Wire(msgspec.Struct):
    committed: int
    read: int
    unsettled: Sequence[int]
    paused: str | None = None
    held: Mapping[int, Held] = {}


_decoder = msgspec.json.Decoder(_Wire)


def encoded(note: CommitNote, committed: int) -> str:
    """With so many ranges as there is room for; then the last one covers all."""
    ranges = list(note.left.unsettled)
    while True:
        steps = list(_steps(ranges, committed))
        wire = _Wire(committed, note.left.read_to, steps, note.paused, note.held)
        text = msgspec.json.encode(wire).decode()
        if len(text) <= BYTES_MAX or len(ranges) < 2:
            return text
        half = len(ranges) // 2
        ranges[half - 1 :] = [(ranges[half - 1][0], ranges[-1][1])]


def decoded(text: str, committed: int) -> CommitNote | None:
    """None where it is not ours, or not of this offset.

    A tool that resets the offset may keep what is beside it. MirrorMaker does: it copies a group to
    another cluster, where the same records have other offsets.
    """
    try:
        wire = _decoder.decode(text)
    except msgspec.DecodeError:
        return None
    if wire.committed != committed:
        return None
    left = Unfinished(wire.read, list(_ranges(wire.unsettled, committed)))
    return CommitNote(left, wire.paused, wire.held)


def _steps(ranges: Sequence[Range], committed: int) -> Iterator[int]:
    for first, last in ranges:
        yield from (first - committed, last + 1 - first)
        committed = last + 1


def _ranges(steps: Sequence[int], committed: int) -> Iterator[Range]:
    for settled, unsettled in zip(steps[::2], steps[1::2], strict=False):
        yield committed + settled, committed + settled + unsettled - 1
        committed += settled + unsettled
