"""The headers that dead letters and parked records add to the original
(contract.md#letter-headers).

`encoded` and `decoded` are each other's inverse but for what is cut or cannot be read.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from schemas.records import Headers, Record, TopicPartition

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_SECOND = 253_402_300_799  # Of the year 9999.
DETAIL_BYTES_MAX = 1000
PARTITION_MAX, OFFSET_MAX = 2**31 - 1, 2**63 - 1
DIGITS_MAX = 19  # Of Kafka's numbers; `int` refuses 4,301 of them.
TIME_CHARACTERS_MAX = 50  # A longer text counts as none.
REMEMBERED_MAX = 1000  # Times: letters that are written together have most of theirs in common.
_REASON = re.compile("[a-z0-9_]{1,100}")
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
        if len(parts) != 3:
            return None
        partition, offset = _number(parts[1]), _number(parts[2])
        if partition is None or partition > PARTITION_MAX or offset is None or offset > OFFSET_MAX:
            return None
        return cls(TopicPartition(parts[0], partition), offset)


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
        texts = {
            "status": None if self.status is None else str(self.status),
            "origin": None if self.origin is None else str(self.origin),
            "attempts": str(self.attempts),
            "first_failed_at": timestamp(self.first_failed_at),
            "accepted_at": None if self.accepted_at is None else timestamp(self.accepted_at),
            "not_before": None if self.not_before is None else timestamp(self.not_before),
            "parked_at": None if self.parked_at is None else timestamp(self.parked_at),
        }
        return [
            *without_letter(original),
            ("destination", cut_detail(self.destination)),
            ("reason", cut_detail(self.reason)),
            ("detail", cut_detail(self.detail)),
            *[(name, text.encode()) for name, text in texts.items() if text is not None],
        ]

    @classmethod
    def decoded(cls, headers: Headers) -> "LetterHeaders":
        """Headers that cannot be read count as absent: a producer's headers must not raise."""
        texts = {name: (value or b"").decode(errors="replace") for name, value in headers}
        reason = texts.get("reason", "")
        return cls(
            destination=texts.get("destination", ""),
            reason=reason if _REASON.fullmatch(reason) else "",
            detail=texts.get("detail", ""),
            origin=Origin.parse(texts.get("origin", "")),
            attempts=_number(texts.get("attempts", "")) or 0,
            first_failed_at=_seconds(texts.get("first_failed_at", "")) or 0.0,
            accepted_at=_seconds(texts.get("accepted_at", "")),
            status=_number(texts.get("status", "")),
            not_before=_seconds(texts.get("not_before", "")),
            parked_at=_seconds(texts.get("parked_at", "")),
        )


def may_be_of(headers: Headers, destination: bytes, topic: bytes) -> bool:
    """Whether a letter may be of this destination and topic; to read it takes six times as long."""
    given = dict(headers)
    origin = given.get("origin") or b""
    return given.get("destination") == destination and origin.startswith(topic + b"/")


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


def _number(text: str) -> int | None:
    """ASCII digits, not more than Kafka's numbers have."""
    is_number = len(text) <= DIGITS_MAX and text.isascii() and text.isdigit()
    return int(text) if is_number else None


def _seconds(text: str) -> float | None:
    return _moment(text) if 0 < len(text) <= TIME_CHARACTERS_MAX else None


@lru_cache(maxsize=REMEMBERED_MAX)
def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def cut_detail(text: str) -> bytes:
    """As UTF-8, between two characters: whoever reads the header may be strict."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= DETAIL_BYTES_MAX:
        return encoded
    return encoded[:DETAIL_BYTES_MAX].decode(errors="ignore").encode()
