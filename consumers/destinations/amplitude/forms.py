"""Amplitude's `/identify` and `/groupidentify`: a form in, plain text out, which names no record.
An answer in JSON means what it means of `/batch`.

There is no dedupe, and two identifications of one user in one request are throttled
(amplitude.md#identify). So queued updates of one user are merged into one.
"""

import re
from collections.abc import Sequence
from string import ascii_letters, digits
from urllib.parse import quote_plus

from consumers.delivery.destination import Encoded, Limits, Merge, Rate, Request, Response
from consumers.delivery.outcomes import (
    Delivered,
    Pause,
    Reject,
    Retry,
    Skip,
    Split,
    Verdict,
)
from consumers.destinations.amplitude.answers import (
    blame,
    is_own,
    is_success,
    throttled_hold,
    too_large,
)
from consumers.destinations.amplitude.property_merge import (
    merged_group_identification,
    merged_identification,
)
from consumers.destinations.answers import by_status, not_the_destination, text_of
from consumers.destinations.records import read_record
from schemas.events import (
    group_key,
    identification_key,
    read_group_identification,
    read_identification,
)
from schemas.records import Record
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination

# 1 MB is documented for one of them (amplitude.md#group-identify); encoded, JSON can be three times
# as long.
BYTES_MAX = 300_000
# 1,800 an hour; more are dropped without an error (amplitude.md#per-user-limits).
UPDATES = Rate(records=1800, seconds=3600.0, burst=60)
_NO_KEY = re.compile("^invalid[ _]api[ _]key", re.IGNORECASE)
# A code such as `missing_event`; a proxy answers with a sentence or a page.
_CODE = re.compile("[a-z]+(_[a-z]+)+")
KINDS_MAX = 50  # Of bytes to replace in a long text: JSON in English has 20.
_PLAIN = frozenset(f"{ascii_letters}{digits}_.-~% ".encode())  # The last two in ways of their own.


def quoted(text: bytes) -> bytes:
    """As a form's value. `quote_plus` takes five times as long, and 8 bytes of memory a byte."""
    found = set(text) - _PLAIN
    if len(text) > BYTES_MAX and len(found) > KINDS_MAX:
        return b"%" + text.hex("%").encode()  # All alike: longer, but in 1 ns a byte.
    text = text.replace(b"%", b"%25")
    for byte in found:
        text = text.replace(bytes((byte,)), b"%%%02X" % byte)
    return text.replace(b" ", b"+")


class _Form:
    kind: Kind
    merge: Merge | None

    def __init__(self, config: AmplitudeDestination, path: str) -> None:
        self.name = config.name
        key = quote_plus(config.api_key.get_secret_value()).encode()
        options = quote_plus('{"min_id_length":1}').encode()
        self._path = path
        self._head = b"api_key=" + key + b"&options=" + options + b"&identification="

    def request(self, batch: Sequence[Encoded]) -> Request:
        identifications = b"[" + b",".join([one.body for one in batch]) + b"]"
        body = self._head + quoted(identifications)
        return Request(self._path, {"content-type": "application/x-www-form-urlencoded"}, body)

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        words = text_of(response).strip()
        match response.status:
            case status if 200 <= status < 300:
                is_taken = words.lower() == "success" or is_success(response)
                return Verdict(Delivered()) if is_taken else not_the_destination()
            case 400 if _NO_KEY.search(words):
                return Verdict(Pause("invalid_api_key"))
            case 400 if is_own(response):
                return blame(response, batch)
            case 400 if _CODE.match(words):
                return Verdict(Split("rejected", words))
            case 429:
                named = blame(response, batch)
                if not isinstance(named.rest, Retry):
                    return named
                return Verdict(throttled_hold(response), {}, named.holds)
            case 413 | 414:
                return too_large(response, batch)
            case _:
                return by_status(response)


class AmplitudeIdentify(_Form):
    """`POST /identify` (amplitude.md#identify)."""

    kind = Kind.USER_PROPERTIES
    limits = Limits(
        records=1000,
        bytes=BYTES_MAX,
        linger_seconds=0.5,
        concurrency=4,
        one_per_key=True,
        rate=UPDATES,
    )

    def __init__(self, config: AmplitudeDestination) -> None:
        super().__init__(config, "/identify")
        self.merge = _merge_identifications

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_identification, identification_key)
        if isinstance(found, Reject):
            return found
        facts, key, value = found
        return Encoded(value, key, facts.user_id, facts.device_id)


class AmplitudeGroupIdentify(_Form):
    """`POST /groupidentify` (amplitude.md#group-identify)."""

    kind = Kind.GROUP_PROPERTIES
    limits = Limits(
        records=1000, bytes=BYTES_MAX, linger_seconds=0.5, concurrency=2, one_per_key=True
    )

    def __init__(self, config: AmplitudeDestination) -> None:
        super().__init__(config, "/groupidentify")
        self.merge = _merge_group_identifications

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        group = read_record(record, read_group_identification, group_key)
        if isinstance(group, Reject):
            return group
        _, key, value = group
        return Encoded(value, key)


def _merge_identifications(first: Encoded, later: Encoded) -> Encoded | None:
    # An event counts for its user and its device, so both have to be the same.
    if (first.user_id, first.device_id) != (later.user_id, later.device_id):
        return None
    body = merged_identification(first.body, later.body)
    return None if body is None else Encoded(body, first.key, first.user_id, first.device_id)


def _merge_group_identifications(first: Encoded, later: Encoded) -> Encoded | None:
    body = merged_group_identification(first.body, later.body)
    return None if body is None else Encoded(body, first.key)
