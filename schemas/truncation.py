"""A dead letter that is too large for its topic, cut to what fits (contract.md#letter-headers).
Pure.
"""

from schemas.letters import TRUNCATED, only_letter
from schemas.records import Headers, RawRecord

AROUND_BYTES = 120  # A batch's header, a record's, and the header `truncated`.
AROUND_HEADER_BYTES = 10
ALWAYS = frozenset({"destination", "reason", "origin", "attempts", "first_failed_at"})


def cut(record: RawRecord, room_bytes: int) -> RawRecord:
    """The part that fits: headers up to half of the size, the smallest first; then the value."""
    left = room_bytes - AROUND_BYTES
    headers = _kept(record.headers, left // 2)
    left -= sum(map(_size_of, headers))
    key = None if record.key is None else record.key[: max(0, left // 2)]
    left -= len(key or b"")
    value = None if record.value is None else _cut_text(record.value, max(0, left))
    return RawRecord(key, value, [*headers, truncated(record.value)])


def _kept(headers: Headers, room_bytes: int) -> list[tuple[str, bytes | None]]:
    """The headers that fit, in their order; those of the letter are always kept."""
    sizes = [0 if header[0] in ALWAYS else _size_of(header) for header in headers]
    kept: set[int] = set()
    for at in sorted(range(len(headers)), key=sizes.__getitem__):
        room_bytes -= _size_of(headers[at])
        if sizes[at] and room_bytes < 0:
            break
        kept.add(at)
    return [header for at, header in enumerate(headers) if at in kept]


def bare(record: RawRecord) -> RawRecord:
    """Without the headers that its producer gave it."""
    kept = [header for header in record.headers if header[0] in ALWAYS]
    return RawRecord(record.key, record.value, [*kept, truncated(record.value)])


def as_reference(record: RawRecord, also: frozenset[str] = frozenset()) -> RawRecord:
    """Only what the letter says of it, and these headers: its bytes are read from its origin."""
    kept = [one for one in record.headers if one[0] in also] + only_letter(record.headers)
    kept = [one for one in kept if one[0] != TRUNCATED]
    return RawRecord(record.key, None, [*kept, truncated(record.value)])


def truncated(value: bytes | None) -> tuple[str, bytes]:
    """The header that says how many bytes the original value had."""
    return TRUNCATED, str(len(value or b"")).encode()


def _size_of(header: tuple[str, bytes | None]) -> int:
    name, value = header
    return len(name.encode()) + len(value or b"") + AROUND_HEADER_BYTES


def _cut_text(value: bytes, size: int) -> bytes:
    """Cut at the end of a UTF-8 character, so that the text can be read."""
    if size < len(value):
        for end in range(size, max(0, size - 4), -1):
            if value[end] & 0xC0 != 0x80:
                return value[:end]
    return value[:size]
