"""Many records in a destination's wire form, by columns: see `run`."""

from collections.abc import Iterator, Sequence
from itertools import compress
from operator import itemgetter
from typing import NamedTuple, Protocol, Self, overload, runtime_checkable

from consumers.delivery.destination import Encoded
from consumers.delivery.outcomes import Skip
from schemas.columns import Columns, Part


class EncodedRun(Sequence[Encoded]):
    """Many in their wire form, by columns; each is built when it is asked for."""

    __slots__ = ("bodies", "device_ids", "keys", "user_ids")

    def __init__(
        self,
        bodies: list[bytes],
        keys: list[str],
        user_ids: list[str | None],
        device_ids: list[str | None],
    ) -> None:
        self.bodies = bodies
        self.keys = keys
        self.user_ids = user_ids
        self.device_ids = device_ids

    def __len__(self) -> int:
        return len(self.bodies)

    def __iter__(self) -> Iterator[Encoded]:
        return map(Encoded, self.bodies, self.keys, self.user_ids, self.device_ids)

    @overload
    def __getitem__(self, index: int) -> Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Encoded | Self:
        if isinstance(index, slice):
            return self._of(itemgetter(index))
        return Encoded(
            self.bodies[index], self.keys[index], self.user_ids[index], self.device_ids[index]
        )

    def only(self, chosen: Sequence[bool]) -> Self:
        """Those that are chosen, by their position."""
        return self._of(lambda column: list(compress(column, chosen)))

    def extend(self, later: "EncodedRun") -> None:
        self.bodies += later.bodies
        self.keys += later.keys
        self.user_ids += later.user_ids
        self.device_ids += later.device_ids

    def _of(self, part: Part) -> Self:
        """The same part of each column."""
        return type(self)(
            part(self.bodies), part(self.keys), part(self.user_ids), part(self.device_ids)
        )


def bodies_of(batch: Sequence[Encoded]) -> list[bytes]:
    """A list of its own."""
    return batch.bodies[:] if isinstance(batch, EncodedRun) else [one.body for one in batch]


def user_ids_of(batch: Sequence[Encoded]) -> list[str | None]:
    return batch.user_ids if isinstance(batch, EncodedRun) else [one.user_id for one in batch]


def device_ids_of(batch: Sequence[Encoded]) -> list[str | None]:
    return batch.device_ids if isinstance(batch, EncodedRun) else [one.device_id for one in batch]


class RunEncoded(NamedTuple):
    """What became of many records."""

    run: EncodedRun  # Of those that are sent.
    are_sent: Sequence[bool] | None = None  # Which these are; None: all.
    skips: Sequence[Skip] = ()  # Why the others are not.


@runtime_checkable
class EncodesRuns(Protocol):
    """What a destination may be besides: faster still where all of many records can be sent."""

    def encode_run(self, records: Columns) -> RunEncoded | None:
        """As `encode` of each, or None, as where one of them is rejected."""
