"""The headers that dead letters and parked records add to the original
(contract.md#letter-headers).

`encoded` and `decoded` are each other's inverse but for what is cut or cannot be read.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from schemas.records import Headers, Record, TopicPartition

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_SECOND = 253_402_300_799  # Of the year 9999.
DETAIL_BYTES_MAX = 1000
PARTITION_MAX, OFFSET_MAX = 2**31 - 1, 2**63 - 1
DIGITS_MAX = 19  # Of Kafka's numbers; `int` refuses 4,301 of them.
TIME_BYTES_MAX = 50  # A longer text counts as none.
REMEMBERED_MAX = 1000  # Times: letters that are written together have most of theirs in common.
_REASON = re.compile(b"[a-z0-9_]{1,100}")
# Bytes of the original value, if it was cut.
TRUNCATED = "truncated"
_NAMES = frozenset(
    {
        *("destination", "reason", "detail", "status", "origin", "attempts"),
        *("first_failed_at", "not_before", "parked_at", "accepted_at", TRUNCATED),
    }
)


class Origin(Struct, frozen=True):
    """Where the original record is, or was."""

    place: TopicPartition
    offset: int

    def __str__(self) -> str:
        return f"{self.place.topic}/{self.place.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Origin | None":
        parts = text.rsplit("/", 2)
        return cls.of(*parts) if len(parts) == 3 else None

    @classmethod
    def of(cls, topic: str, partition: str | bytes, offset: str | bytes) -> "Origin | None":
        number, at = _number(partition), _number(offset)
        if number is None or number > PARTITION_MAX or at is None or at > OFFSET_MAX:
            return None
        return cls(TopicPartition(topic, number), at)


class LetterHeaders(Struct, frozen=True):
    """Times are seconds since the epoch; `accepted_at` is the original record's timestamp.

    `not_before` and `parked_at` are by the clock of the process that parked the record.
    """

    destination: str
    reason: str
    detail: str
    origin: Origin | None
    attempts: int
    first_failed_at: float
    accepted_at: float | None = None
    status: int | None = None
    not_before: float | None = None
    parked_at: float | None = None

    def encoded(self, original: Headers) -> list[tuple[str, bytes | None]]:
        """The headers of the letter: the original's, with ours in place of older ones."""
        headers = [*without_letter(original), ("detail", cut_detail(self.detail))]
        headers += _shared(
            self.destination,
            self.reason,
            self.status,
            self.attempts,
            self.first_failed_at,
            self.not_before,
            self.parked_at,
        )
        if self.origin is not None:
            headers.append(("origin", str(self.origin).encode()))
        if self.accepted_at is not None:
            headers.append(("accepted_at", timestamp(self.accepted_at).encode()))
        return headers

    @classmethod
    def decoded(cls, headers: Headers) -> "LetterHeaders":
        """Headers that cannot be read count as absent: a producer's headers must not raise."""
        given = dict(headers)
        return cls(
            destination=_text(given.get("destination")),
            reason=_reason(given.get("reason")),
            detail=_text(given.get("detail")),
            origin=Origin.parse(_text(given.get("origin"))),
            attempts=_number(_text(given.get("attempts"))) or 0,
            first_failed_at=_seconds(given.get("first_failed_at")) or 0.0,
            accepted_at=_seconds(given.get("accepted_at")),
            status=_number(_text(given.get("status"))),
            not_before=_seconds(given.get("not_before")),
            parked_at=_seconds(given.get("parked_at")),
        )


class Waiting(Struct, frozen=True, gc=False):
    """What `LetterHeaders` of a parked record say of how it waits."""

    origin: Origin
    reason: str
    accepted_at: float | None
    not_before: float | None
    parked_at: float | None


def waiting(headers: Headers, destination: bytes, topic: str) -> Waiting | None:
    """None of a letter that is not of this destination and topic."""
    given = dict(headers)
    origin, name = given.get("origin"), topic.encode() + b"/"
    if given.get("destination") != destination or not origin or not origin.startswith(name):
        return None
    partition, _, offset = origin[len(name) :].partition(b"/")
    if (place := Origin.of(topic, partition, offset)) is None:
        return None
    return Waiting(
        place,
        _reason(given.get("reason")),
        _seconds(given.get("accepted_at")),
        _seconds(given.get("not_before")),
        _seconds(given.get("parked_at")),
    )


def without_letter(headers: Headers) -> list[tuple[str, bytes | None]]:
    """The original record's own headers."""
    return [(name, value) for name, value in headers if name not in _NAMES]


def only_letter(headers: Headers) -> list[tuple[str, bytes | None]]:
    """What the letter adds to the original record's own headers."""
    return [(name, value) for name, value in headers if name in _NAMES]


def writable(headers: Headers) -> list[tuple[str, bytes | None]]:
    """A name that is no UTF-8 cannot be written as it came."""
    return [
        (name if name.isascii() else name.encode("utf-8", "replace").decode(), value)
        for name, value in headers
    ]


def is_reference(record: Record) -> bool:
    """Whether it is parked without its bytes, which are too many: they are at its origin."""
    return record.value is None and any(name == TRUNCATED for name, _ in record.headers)


@lru_cache(maxsize=REMEMBERED_MAX)
def _shared(
    destination: str,
    reason: str,
    status: int | None,
    attempts: int,
    first_failed_at: float,
    not_before: float | None,
    parked_at: float | None,
) -> Sequence[tuple[str, bytes | None]]:
    """Headers that letters have in common which are written together: encoded once."""
    texts = {
        "status": None if status is None else str(status),
        "attempts": str(attempts),
        "first_failed_at": timestamp(first_failed_at),
        "not_before": None if not_before is None else timestamp(not_before),
        "parked_at": None if parked_at is None else timestamp(parked_at),
    }
    return (
        ("destination", cut_detail(destination)),
        ("reason", cut_detail(reason)),
        *[(name, text.encode()) for name, text in texts.items() if text is not None],
    )


@lru_cache(maxsize=REMEMBERED_MAX)
def timestamp(seconds: float) -> str:
    """RFC 3339, in UTC, to the millisecond; a time out of range becomes the last possible.

    A producer may have given microseconds, and no record must raise here.
    """
    try:
        second, milliseconds = divmod(round(seconds * 1000), 1000)
        return f"{_to_the_second(second)}.{milliseconds:03d}Z"
    except (OverflowError, ValueError):
        return f"{_to_the_second(LAST_SECOND)}.999Z"


@lru_cache(maxsize=REMEMBERED_MAX)
def _to_the_second(second: int) -> str:
    return (EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat()


def _number(text: str | bytes) -> int | None:
    """ASCII digits, not more than Kafka's numbers have."""
    is_number = len(text) <= DIGITS_MAX and text.isascii() and text.isdigit()
    return int(text) if is_number else None


def _text(value: bytes | None) -> str:
    return value.decode(errors="replace") if value else ""


def _reason(value: bytes | None) -> str:
    return value.decode() if value is not None and _REASON.fullmatch(value) else ""


def _seconds(value: bytes | None) -> float | None:
    return _moment(value) if value and len(value) <= TIME_BYTES_MAX else None


@lru_cache(maxsize=REMEMBERED_MAX)
def _moment(value: bytes) -> float | None:
    try:
        moment = datetime.fromisoformat(value.decode())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def cut_detail(text: str) -> bytes:
    """As UTF-8, between two characters: whoever reads the header may be strict."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= DETAIL_BYTES_MAX:
        return encoded
    return encoded[:DETAIL_BYTES_MAX].decode(errors="ignore").encode()
