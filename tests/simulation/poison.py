"""A destination that fails in every place where one can, for some records and for some answers."""

from collections.abc import Sequence

from consumers.delivery import border
from consumers.delivery.destination import Destination, Encoded, Merge, Request, Response
from consumers.delivery.encoded_run import RunEncoded
from consumers.delivery.outcomes import Delivered, Reject, Skip, Verdict
from schemas.columns import Columns
from schemas.records import Record

IN_ENCODE, IN_REQUEST = b'"poison":"encode"', b'"poison":"request"'
UNREADABLE, IMPOSSIBLE = b"unreadable", b"impossible"  # Bodies of answers.
MERGE_EVERY = 10


class PoisonError(Exception):
    pass


class StruckError(BaseException):
    """Not an `Exception`: nothing in the engine stops it."""


class Poisoned:
    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self.name = destination.name
        self.kind = destination.kind
        self.limits = destination.limits
        self.merge: Merge | None = None if destination.merge is None else self._merged
        self.is_struck = False  # Then the next call fails in an unexpected place.

    def _strike(self) -> None:
        if self.is_struck:
            self.is_struck = False
            raise StruckError

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        self._strike()
        value = record.value or b""
        if IN_ENCODE in value:
            raise PoisonError("encode")
        encoded = self._destination.encode(record)
        if isinstance(encoded, Encoded):
            encoded.body = _poisoned(encoded.body, value)
        return encoded

    def encode_all(self, records: Sequence[Record]) -> Sequence[Encoded | Reject | Skip]:
        values = [record.value or b"" for record in records]
        if any(IN_ENCODE in value for value in values):
            raise PoisonError("encode_all")
        if any(IN_REQUEST in value for value in values):
            return [self.encode(record) for record in records]
        return border.encode_all(self._destination, records)

    def encode_run(self, records: Columns) -> RunEncoded | None:
        if any(IN_ENCODE in (value or b"") for value in records.values):
            raise PoisonError("encode_run")
        found = border.encode_run(self._destination, records)
        if found is not None and found.are_sent is None:
            pairs = zip(found.run.bodies, records.values, strict=True)
            found.run.bodies = [_poisoned(body, value or b"") for body, value in pairs]
        return found

    def request(self, batch: Sequence[Encoded]) -> Request:
        self._strike()
        if any(IN_REQUEST in one.body for one in batch):
            raise PoisonError("request")
        return self._destination.request(batch)

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        self._strike()
        match response.body:
            case b"unreadable":
                raise PoisonError("verdict")
            case b"impossible":
                return Verdict(Delivered(), {len(batch): Reject("stranger")})
        return self._destination.verdict(response, batch)

    def _merged(self, first: Encoded, later: Encoded) -> Encoded | None:
        self._strike()
        merge = self._destination.merge
        assert merge is not None
        if len(later.body) % MERGE_EVERY == 0:
            raise PoisonError("merge")
        return merge(first, later)


def _poisoned(body: bytes, value: bytes) -> bytes:
    """The body of a record whose request is to fail, which may not have all of its value."""
    if IN_REQUEST not in value or IN_REQUEST in body:
        return body
    return body[:-1] + b"," + IN_REQUEST + b"}"
