"""Uploads of Amplitude's older SDKs: amplitude-js 8, Android 2, iOS 8
(amplitude-sdks.md#older-sdks).

A form to the host's root: `client` is the key, `e` the events as JSON. These SDKs know two answers,
`success` and 413; after any other they send everything again, for ever. So unusable events become
dead letters, and the answer is `success`.
"""

from collections.abc import Mapping
from typing import Final, final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.dialects.amplitude_forms import (
    fields_of,
    json_in,
    key_in,
    key_sent,
    query_fields,
)
from gateway.dialects.amplitude_http import plain
from gateway.dialects.arrays import elements
from gateway.dialects.clocks import set_right, skew_of
from gateway.dialects.moments import milliseconds_of
from gateway.dialects.shapes import (
    POST,
    Answer,
    Batch,
    Context,
    Endpoint,
    Opened,
    Places,
    RefusedError,
    Rejection,
    Request,
)
from gateway.dialects.translated import add_event
from gateway.dialects.trees import SMALL_BYTES, room_for_members, tree_of
from schemas.events import ABSENT, read_strict_events
from schemas.several import AT_ONCE
from schemas.strictness import Defect, are_surely_strict, strictness_defect
from schemas.topics import Kind

# Fields that HTTP V2 names differently, or does not have.
_NAMES: Final = {"timestamp": "time", "uuid": "insert_id", "version_name": "app_version"}
_RENAMED: Final = tuple(_NAMES.items())
_IDS: Final = {
    "androidADID": "adid",
    "android_app_set_id": "android_app_set_id",
    "ios_idfa": "idfa",
    "ios_idfv": "idfv",
}
_COORDINATES: Final = {"location_lat": "lat", "location_lng": "lng"}
PLACES: Final[Places] = {
    **{name: [(older,)] for older, name in _NAMES.items()},
    **{name: [("api_properties", older)] for older, name in _IDS.items()},
    **{name: [("api_properties", "location", older)] for name, older in _COORDINATES.items()},
}
_object = msgspec.json.Decoder(dict[str, Raw])
Fields = Mapping[str, object]


class LegacyUpload(Endpoint):
    dialect = "amplitude"
    kind = Kind.EVENT
    methods = POST
    places = PLACES

    def seen_key(self, request: Request) -> str | None:
        return key_in(query_fields(request), "client")

    def sent_key(self, request: Request) -> str:
        return key_sent(request, "client")

    def open(self, request: Request) -> Opened:
        fields = fields_of(request)
        events = json_in(fields, "e")
        sent_ms = milliseconds_of(fields.get("upload_time", b"").decode("latin-1"))
        try:
            return Opened(elements(events, self), sent_ms=sent_ms)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(plain(400, "missing_event")) from error

    def read(self, opened: Opened, context: Context) -> Batch:
        batch, values = Batch(), opened.values
        are_strict, parts = are_surely_strict(values), Parts()
        skew = skew_of(opened.sent_ms, context.now_ms)
        for start in range(0, len(values), AT_ONCE):
            some = values[start : start + AT_ONCE]
            read = [
                (None if are_strict else strictness_defect(value))
                or event_of(value, parts, context)
                for value in some
            ]
            events = [one.event for one in read if type(one) is Read]
            several = read_strict_events(events)
            if skew:
                events, several = set_right(events, several, skew, context)
            found = zip(events, several, strict=True)
            for index, (value, one) in enumerate(
                zip(some, read, strict=True), opened.first + start
            ):
                if type(one) is Defect:
                    batch.rejected.append(Rejection(index, one, value))
                    continue
                whence = context if one.keeps_ip else replace(context, remote_ip=None)
                event, facts = next(found)
                add_event(batch, index, value, event, facts, whence)
        return batch

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        return plain(200, "success")

    def unknown_key(self, key: str) -> Answer:
        return plain(400, "invalid_api_key")


@final
class Read(Struct, gc=False):
    event: bytes
    keeps_ip: bool  # Unless the app's `trackingOptions` forbid it.


class Parts:
    """An event's `library` and `api_properties`: a device writes the same ones into most of its
    events, so those alike in a row are read once.
    """

    def __init__(self) -> None:
        self._last: tuple[Raw, Raw, _Named] | None = None

    def of(self, library: Raw, platform: Raw, context: Context) -> "_Named":
        last = self._last
        if last is not None and last[0] == library and last[1] == platform:
            return last[2]
        named = _named(_fields(library, context), _fields(platform, context))
        self._last = (library, platform, named)
        return named


class _Named(Struct, gc=False):
    """What they say, in the names of HTTP V2."""

    fields: dict[str, object]
    keeps_ip: bool


def event_of(value: bytes, parts: Parts, context: Context) -> Read | Defect:
    """A strict event in the field names of HTTP V2; other fields stay byte for byte."""
    if len(value) <= SMALL_BYTES:
        return _taken_apart(value, parts, context)
    with room_for_members(value, context):
        return _taken_apart(value, parts, context)


def _taken_apart(value: bytes, parts: Parts, context: Context) -> Read | Defect:
    try:
        members = _object.decode(value)
    except msgspec.ValidationError:
        return Defect("not_an_object", "", "an event is one JSON object")
    library, platform = members.pop("library", ABSENT), members.pop("api_properties", ABSENT)
    named = parts.of(library, platform, context)
    members.pop("sequence_number", None)
    for older, name in _RENAMED:
        if older in members:
            members[name] = members.pop(older)
    given = members | named.fields if named.fields else members
    return Read(msgspec.json.encode(given), named.keeps_ip)


def _named(library: Fields, platform: Fields) -> _Named:
    fields: dict[str, object] = {}
    named = [library.get("name"), library.get("version")] if library else ()
    if texts := [text for text in named if isinstance(text, str)]:
        fields["library"] = "/".join(texts)
    for name, given in platform.items():
        if name in _IDS and isinstance(given, str):
            fields[_IDS[name]] = given
    if isinstance(location := platform.get("location"), dict):
        fields |= {name: location.get(older) for name, older in _COORDINATES.items()}
    tracked = platform.get("tracking_options")
    keeps_ip = not isinstance(tracked, dict) or tracked.get("ip_address") is not False
    return _Named(fields, keeps_ip)


def _fields(value: Raw, context: Context) -> Fields:
    """The members of an object; none of anything else."""
    found = None if value is ABSENT else tree_of(bytes(value), context)
    return found if isinstance(found, dict) else {}
