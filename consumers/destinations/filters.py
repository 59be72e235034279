"""Which records a destination wants: by source, by `where` and by the header `opted_out`.

A record that no destination could use is dead whatever its values, so a filter sees only records
that the destination could send; what the destination changes of a record comes after it. Reasons:
`opted_out`, its sender does not want it there; `other_source`; `other_region`, another destination
of the type wants it; `no_region`, none does.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct

from consumers.delivery.destination import (
    Destination,
    Encoded,
    EncodesMany,
    Limits,
)
from consumers.delivery.encoded_run import EncodesRuns, RunEncoded
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations.shaping.shaped import Shaped
from schemas.columns import Columns
from schemas.opt_outs import OPTED_OUT, opted_out
from schemas.records import Headers, Record, source_in, source_of
from schemas.vendors.vendor import ConfiguredDestination

Value: TypeAlias = str | int | float | bool
VALUES = (str, int, float)  # `isinstance` with a union takes 0.3 µs more.
OPERATED = ("user_properties", "group_properties")  # In these, a value may be below `$set`.


class Filtered:
    """The destination, restricted to the records that sender, `sources` and `where` allow."""

    def __init__(
        self,
        destination: Destination,
        config: ConfiguredDestination,
        others: Sequence[ConfiguredDestination] = (),
        shaped: Shaped | None = None,
    ) -> None:
        self._destination = destination
        self._shaped = shaped
        encodes = shaped or destination
        self._encode = encodes.encode
        self._encode_all = encodes.encode_all if isinstance(encodes, EncodesMany) else None
        self._encode_run = encodes.encode_run if isinstance(encodes, EncodesRuns) else None
        self._filter = Filter(config)
        self._others = [Filter(other) for other in others]
        self._type = config.type
        self._takes_all = config.sources is None and not config.where
        self.name = destination.name
        self.kind = destination.kind
        self.limits: Limits = destination.limits
        self.merge = destination.merge
        self.request, self.verdict = destination.request, destination.verdict

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        headers = record.headers
        # Most records have one header, the source's; a function call here would be measurable.
        may_opt_out = len(headers) > 1 or (headers and headers[0][0] == OPTED_OUT)
        if may_opt_out and opted_out(headers, self._type):
            return Skip("opted_out")
        if self._takes_all:
            return self._encode(record)
        source = source_of(record)
        if not self._filter.takes_from(source):
            return Skip("other_source")
        encoded = self._destination.encode(record)
        if self._shaped is None:
            return self._wanted(record, encoded)
        if isinstance(encoded, Reject):
            return encoded
        value = record.value or b""
        if self._filter.matches(value):
            return self._shaped.encode(record)
        return self._unwanted(source, value)

    def encode_all(self, records: Sequence[Record]) -> Sequence[Encoded | Reject | Skip]:
        is_whole = self._takes_all or self._shaped is None
        if self._encode_all is None or not is_whole:
            return [self.encode(record) for record in records]
        if self._is_any_opted_out([record.headers for record in records]):
            return [self.encode(record) for record in records]
        if self._takes_all:
            return self._encode_all(records)
        taken = self._taken([record.headers for record in records])
        own = [record for record, takes in zip(records, taken, strict=True) if takes]
        encoded = zip(own, self._encode_all(own), strict=True)
        return [self._wanted(*next(encoded)) if takes else Skip("other_source") for takes in taken]

    def encode_run(self, records: Columns) -> RunEncoded | None:
        """Where the source of each is wanted; what is not wanted for its values is skipped."""
        if self._encode_run is None or self._is_any_opted_out(records.headers):
            return None
        if self._takes_all:
            return self._encode_run(records)
        if self._shaped is not None or not all(self._taken(records.headers)):
            return None
        found = self._encode_run(records)
        if found is None:
            return None
        values, matches = records.values, self._filter.matches
        wanted = [matches(value or b"") for value in values]
        if all(wanted):
            return found
        skips = [
            self._unwanted(source_of(record), record.value or b"")
            for record, is_wanted in zip(records, wanted, strict=True)
            if not is_wanted
        ]
        return RunEncoded(found.run.only(wanted), wanted, skips)

    def _is_any_opted_out(self, headers: Iterable[Headers]) -> bool:
        looked_at: Headers = ()  # Records that came together have the same.
        for own in headers:
            if own is not looked_at:
                if opted_out(own, self._type):
                    return True
                looked_at = own
        return False

    def _taken(self, headers: Sequence[Headers]) -> list[bool]:
        """Whether it takes from the source that each of these names."""
        taken: list[bool] = []
        looked_at: Headers | None = None
        takes = False
        for own in headers:
            if own is not looked_at:
                looked_at, takes = own, self._filter.takes_from(source_in(own))
            taken.append(takes)
        return taken

    def _wanted(self, record: Record, encoded: Encoded | Reject | Skip) -> Encoded | Reject | Skip:
        """What comes of a record that the destination could send, if its values are wanted."""
        value = record.value or b""
        if not isinstance(encoded, Encoded) or self._filter.matches(value):
            return encoded
        return self._unwanted(source_of(record), value)

    def _unwanted(self, source: str, value: bytes) -> Skip:
        wanted = any(one.takes_from(source) and one.matches(value) for one in self._others)
        return Skip("other_region" if wanted else "no_region")


class Filter:
    """The `sources` and the `where` of one destination: all conditions must hold."""

    def __init__(self, config: ConfiguredDestination) -> None:
        self._sources = None if config.sources is None else frozenset(config.sources)
        grouped: dict[str, dict[str, frozenset[tuple[bool, Value]]]] = {}
        for path, values in config.where.items():
            parent, dot, name = path.partition(".")
            wanted = frozenset((isinstance(value, bool), value) for value in values)
            grouped.setdefault(parent if dot else "", {})[name if dot else path] = wanted
        self._top = _Conditions(grouped.pop("", {}))
        self._below = {parent: _Conditions(conditions) for parent, conditions in grouped.items()}
        self._parents = _reader(list(self._below))

    def takes_from(self, source: str) -> bool:
        return self._sources is None or source in self._sources

    def matches(self, value: bytes) -> bool:
        """Reads only the fields of the conditions; an absent field matches nothing."""
        try:
            return self._top.hold(value) and self._hold_below(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False  # A field that cannot be read has none of the values.

    def _hold_below(self, value: bytes) -> bool:
        if not self._below:
            return True
        objects = msgspec.structs.astuple(self._parents.decode(value))
        for raw, (parent, conditions) in zip(objects, self._below.items(), strict=True):
            if not _is_object(raw):
                return False
            if not conditions.hold(raw, operated=parent in OPERATED):
                return False
        return True


class _Conditions:
    """The conditions on one object: for each field the values that are wanted."""

    def __init__(self, wanted: Mapping[str, frozenset[tuple[bool, Value]]]) -> None:
        self._wanted = tuple(wanted.values())
        self._fields = _reader(list(wanted), each=object)
        self._set = _reader(["$set"])

    def hold(self, value: bytes | Raw, *, operated: bool = False) -> bool:
        if not self._wanted:
            return True
        found = msgspec.structs.astuple(self._fields.decode(value))
        if operated and UNSET in found:
            (below,) = msgspec.structs.astuple(self._set.decode(value))
            if _is_object(below):
                later = msgspec.structs.astuple(self._fields.decode(below))
                pairs = zip(found, later, strict=True)
                found = tuple(two if one is UNSET else one for one, two in pairs)
        for one, wanted in zip(found, self._wanted, strict=True):
            if not isinstance(one, VALUES) or (isinstance(one, bool), one) not in wanted:
                return False
        return True


def _reader(names: Sequence[str], each: object = Raw) -> msgspec.json.Decoder[Struct]:
    """Reads these members and skips the others, which takes a tenth of the time."""
    fields = [(f"f{index}", each, UNSET) for index in range(len(names))]
    rename = {f"f{index}": name for index, name in enumerate(names)}
    return msgspec.json.Decoder(msgspec.defstruct("Wanted", fields, rename=rename, gc=False))


def _is_object(raw: object) -> bool:
    return isinstance(raw, Raw) and bytes(memoryview(raw)[:1]) == b"{"
