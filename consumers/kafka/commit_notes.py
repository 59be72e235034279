"""What is committed beside an offset: for the next owner of the partition, and for `ampgate trace`.

As JSON, `{"version": 2, "committed": 97, "read": 120, "runs": "…", "paused": null, "held": {"97":
["user", "throttled", 1763715600.125]}, "kept": null, "at": 1763715590.5, "after": {},
"partitions": 12, "epoch": 3}`:
`committed` is the offset that it stands beside; `read` the next one to be read; `runs` tells which
of those in between may be unsettled; `paused` says why the destination is; `held` by whose clock
some wait, why, and until when; `kept` is the offset of a longer note, in the same partition of the
parked topic; `at` is when it was written, by the same clock as `held`; `after` tells up
to where others are to be settled before an added partition is read (consumers/delivery/moved.py);
`partitions` by how many the topic's keys were divided then; and `epoch` which leader of the
partition wrote the last record that was read: a log that was cut since has another one there.

`runs` counts in turn how many offsets are settled and how many may not be, from the committed one
on. First come the counts of the settled, then the others, each as varints that are deflated apart:
that is near the entropy, so some 4,000 holes among 50,000 offsets have room. Version 1 had the
counts as they are, `"unsettled": [0, 1, 12, 10]`.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from consumers.delivery.clocks import Held
from consumers.delivery.moved import Ends
from consumers.delivery.offsets import Range, Unfinished, shortened

VERSION = 2
BYTES_MAX = 4000  # A broker takes 4096 (`offset.metadata.max.bytes`).
# More would hardly fit, and to try it takes 3 µs a range: of parked records there may be millions.
RANGES_MAX = 8000
RUNS_BYTES_MAX = 50_000_000  # A note larger than this when inflated is not ours.


@dataclass(frozen=True, slots=True)
class CommitNote:
    left: Unfinished
    paused: str | None
    held: Mapping[int, Held]  # By offset; not all of them may be in it.
    kept: int | None = None  # The offset of a longer note.
    at: float | None = None  # When it was written, by the same clock as those that are held.
    partitions: int | None = None  # Of the topic, by which its keys were divided.
    after: Ends = field(default_factory=dict)  # What an added partition waits for.
    epoch: int | None = None  # Of the leader that wrote the last record below `left.read_to`.


class _Wire(msgspec.Struct):
    committed: int
    read: int
    version: int = 1
    unsettled: Sequence[int] | None = None  # Of version 1.
    runs: str = ""
    paused: str | None = None
    held: Mapping[int, Held] = {}
    kept: int | None = None
    at: float | None = None
    after: Mapping[int, int] = {}
    partitions: int | None = None
    epoch: int | None = None


_decoder = msgspec.json.Decoder(_Wire)


def encoded(note: CommitNote, committed: int, bytes_max: int = BYTES_MAX) -> str:
    """The note, shortened to fit: the last range covers the rest, and holds are left out.

    Empty if all that does not help: a note that does not fit would keep the offset from its commit.
    """
    note = replace(note, left=shortened(note.left, RANGES_MAX))
    while len(text := encoded_whole(note, committed)) > bytes_max:
        if note.held:
            note = replace(note, held=dict(list(note.held.items())[: len(note.held) // 2]))
        elif (ranges := len(note.left.unsettled)) > 1:
            fitting = ranges * min(3 * len(text) // 4, bytes_max) // len(text)
            note = replace(note, left=shortened(note.left, max(1, fitting)))
        elif note.after:
            note = replace(note, after={})
        else:
            return ""
    return text


def encoded_whole(note: CommitNote, committed: int) -> str:
    """The whole note, however long."""
    wire = _Wire(
        committed=committed,
        read=note.left.read_to,
        version=VERSION,
        runs=_deflated(_counts(note.left.unsettled, committed)),
        paused=note.paused,
        held=note.held,
        kept=note.kept,
        at=note.at,
        after=note.after,
        partitions=note.partitions,
        epoch=note.epoch,
    )
    return msgspec.json.encode(wire).decode()


def decoded(text: str, committed: int) -> CommitNote | None:
    """None if the note is not ours, or not of this offset.

    A tool that resets the offset may keep the note. MirrorMaker does: it copies a group to another
    cluster, where the same records have other offsets.
    """
    try:
        wire = _decoder.decode(text)
        if wire.version == 1 and wire.unsettled is not None:
            counts = wire.unsettled
        elif wire.version == VERSION:
            counts = _inflated(wire.runs)
        else:
            return None
    except (msgspec.DecodeError, ValueError, zlib.error):
        return None
    if wire.committed != committed:
        return None
    left = Unfinished(wire.read, list(_ranges(counts, committed)))
    return CommitNote(
        left=left,
        paused=wire.paused,
        held=wire.held,
        kept=wire.kept,
        at=wire.at,
        partitions=wire.partitions,
        after=wire.after,
        epoch=wire.epoch,
    )


def _counts(ranges: Iterable[Range], committed: int) -> Iterator[int]:
    for first, last in ranges:
        yield from (first - committed, last + 1 - first)
        committed = last + 1


def _ranges(counts: Sequence[int], committed: int) -> Iterator[Range]:
    for settled, unsettled in zip(counts[::2], counts[1::2], strict=False):
        yield committed + settled, committed + settled + unsettled - 1
        committed += settled + unsettled


def _deflated(counts: Iterable[int]) -> str:
    together = list(counts)
    parts = (_varints(together[::2]), _varints(together[1::2]))
    return b64encode(b"".join(map(_deflate, parts))).decode()


def _inflated(runs: str) -> Sequence[int]:
    """Raises `ValueError` or `zlib.error` for a note that is not ours."""
    rest = b64decode(runs, validate=True)
    parts: list[list[int]] = []
    for _ in range(2):
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        plain = inflating.decompress(rest, RUNS_BYTES_MAX)
        if not inflating.eof:
            raise ValueError("it ends too early")
        rest = inflating.unused_data
        parts.append(list(_from_varints(plain)))
    settled, unsettled = parts
    if rest or len(settled) != len(unsettled):
        raise ValueError("its parts do not fit together")
    return [count for pair in zip(settled, unsettled, strict=True) for count in pair]


def _deflate(plain: bytes) -> bytes:
    deflating = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflating.compress(plain) + deflating.flush()


def _varints(numbers: Sequence[int]) -> bytes:
    """Seven bits a byte, the lowest first; the last byte of a number is below 128."""
    if max(numbers, default=0) < 128:  # Most are: as they are, each is its byte.
        return bytes(numbers)
    found = bytearray()
    for number in numbers:
        while number > 127:
            found.append(number & 127 | 128)
            number >>= 7
        found.append(number)
    return bytes(found)


def _from_varints(plain: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in plain:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
        elif shift > 63:
            raise ValueError("no offset is so large")
