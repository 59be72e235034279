"""The body of an upload to Amplitude, taken apart. Pure."""

from contextlib import suppress

import msgspec
import orjson

from gateway.dialects.arrays import SURELY_FEW_BYTES, elements
from gateway.dialects.moments import MOMENT_CHARACTERS_MAX, milliseconds_of
from gateway.dialects.not_numbers import NO_DOUBLE, with_numbers
from gateway.dialects.shapes import Endpoint, Opened, split_json
from schemas.events import ABSENT

MIN_ID_LENGTH = 5
OPTIONS_BYTES_MAX = 10_000  # Longer ones hold nothing that is read.


class _Upload(msgspec.Struct, gc=False):
    api_key: str
    events: list[msgspec.Raw]
    options: msgspec.Raw = ABSENT
    client_upload_time: msgspec.Raw = ABSENT


class _Large(msgspec.Struct, gc=False):
    """The same, before its events are counted."""

    api_key: str
    events: msgspec.Raw
    options: msgspec.Raw = ABSENT
    client_upload_time: msgspec.Raw = ABSENT


_upload = msgspec.json.Decoder(_Upload)
_large = msgspec.json.Decoder(_Large)


def opened_upload(body: bytes, endpoint: Endpoint) -> Opened:
    """msgspec's errors if it is none.

    A body with `NaN` is malformed. An SDK that is told so sends all of it again, for as long as it
    tries (amplitude-sdks.md#how-they-react); where the event is named, it sends all others.
    """
    try:
        return _opened(body, endpoint)
    except msgspec.DecodeError:
        if (numbers := with_numbers(body)) is None:
            raise
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            opened = _opened(numbers, endpoint)
            if any(NO_DOUBLE in value for value in opened.values):
                return opened
        raise


def _opened(body: bytes, endpoint: Endpoint) -> Opened:
    upload: _Upload | _Large
    if len(body) > SURELY_FEW_BYTES:
        upload = split_json(_large, body)
        values = elements(bytes(upload.events), endpoint)
    else:
        upload = split_json(_upload, body)
        values = [bytes(raw) for raw in upload.events]
    options, sent = upload.options, upload.client_upload_time
    return Opened(
        values,
        MIN_ID_LENGTH if options is ABSENT else min_id_length(bytes(options)),
        sent_ms=None if sent is ABSENT else _moment(bytes(sent)),
    )


def _moment(text: bytes) -> int | None:
    """A point in time as JSON; None if it is anything else."""
    if not 0 < len(text) <= MOMENT_CHARACTERS_MAX:
        return None
    try:
        return milliseconds_of(orjson.loads(text))
    except orjson.JSONDecodeError:
        return None


def min_id_length(text: bytes) -> int:
    """The `min_id_length` of a request's options, else Amplitude's.

    Senders put anything there; Segment's connector the word `undefined` if there are none.
    """
    options: object = None
    if 0 < len(text) <= OPTIONS_BYTES_MAX:
        with suppress(orjson.JSONDecodeError):
            options = orjson.loads(text)
    length = options.get("min_id_length") if isinstance(options, dict) else None
    if isinstance(length, int) and not isinstance(length, bool) and length >= 0:
        return length
    return MIN_ID_LENGTH
