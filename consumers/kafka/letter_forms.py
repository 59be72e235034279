"""A letter as a record: whole, or as a reference. Pure.

A dead letter that is too large for its topic is cut (`schemas/truncation.py`). A parked record must
come back whole, so a reference is parked instead: its key and its place, without its bytes, which
are read again from there.
"""

from consumers.delivery.lanes import Letter
from schemas.letters import LetterHeaders, Origin, without_letter
from schemas.records import RawRecord, TopicPartition
from schemas.truncation import truncated


def whole(letter: Letter, destination: str) -> RawRecord:
    """The original bytes, untouched, with the reason."""
    record = letter.entry.record
    return RawRecord(record.key, record.value, letter_headers(letter, destination))


def reference(letter: Letter, destination: str) -> RawRecord:
    """Only the record's place and key."""
    record = letter.entry.record
    headers = letter_headers(letter, destination)
    ours = headers[len(without_letter(record.headers)) :]
    key = letter.entry.encoded.key.encode() if record.key is None else record.key
    return RawRecord(key, None, [*ours, truncated(record.value)])


def letter_headers(letter: Letter, destination: str) -> list[tuple[str, bytes | None]]:
    """The headers of contract.md#letter-headers, in place of older ones of the same names."""
    entry, record = letter.entry, letter.entry.record
    headers = LetterHeaders(
        destination=destination,
        reason=letter.reason,
        detail=letter.detail,
        origin=Origin(TopicPartition(record.topic, record.partition), record.offset),
        attempts=entry.attempts,
        first_failed_at=letter.first_failed_at,
        accepted_at=record.timestamp / 1000,
        status=entry.status,
        not_before=letter.not_before,
        parked_at=letter.parked_at,
    )
    # A name that is not UTF-8 cannot be written unchanged.
    return [
        (name.encode("utf-8", "replace").decode(), value)
        for name, value in headers.encoded(record.headers)
    ]
