"""A letter as a record: whole, or as a reference. Pure.

A dead letter that is too large for its topic is cut (`schemas/truncation.py`). A parked record must
come back whole, so a reference is parked instead: its key and its place, without its bytes, which
are read again from there.
"""

from consumers.delivery.lanes import Letter
from schemas.letters import LetterHeaders, Origin, writable
from schemas.records import RawRecord, Record, TopicPartition
from schemas.truncation import as_reference


def whole(letter: Letter, destination: str) -> RawRecord:
    """The original bytes, untouched, with the reason."""
    record = letter.entry.record
    return RawRecord(record.key, record.value, letter_headers(letter, destination))


def reference(letter: Letter, destination: str) -> RawRecord:
    """Only the record's place and key."""
    form = as_reference(whole(letter, destination))
    return form if form.key is not None else form._replace(key=letter.entry.encoded.key.encode())


def is_original(found: Record, parked: Record) -> bool:
    """Whether what is at a reference's origin is what was parked: a cut log gives offsets anew."""
    accepted_at = LetterHeaders.decoded(parked.headers).accepted_at
    return accepted_at is None or found.timestamp == round(accepted_at * 1000)


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
    return headers.encoded(writable(record.headers))
