"""Uploads of Amplitude's older SDKs: amplitude-js 8, Android 2, iOS 8
(amplitude-sdks.md#older-sdks).

A form to the host's root: `client` is the key, `e` the events as JSON. These SDKs know two answers,
`success` and 413; after any other they send everything again, for ever. So unusable events become
dead letters, and the answer is `success`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from gateway.dialects.amplitude_forms import (
    fields_of,
    json_in,
    key_in,
    key_sent,
    query_fields,
)
from gateway.dialects.amplitude_http import plain
from gateway.dialects.arrays import elements
from gateway.dialects.records import Translated
from gateway.dialects.shapes import (
    POST,
    Answer,
    Batch,
    Context,
    Endpoint,
    Opened,
    Places,
    RefusedError,
    Request,
)
from gateway.dialects.trees import room_for_members, tree_of
from schemas.strictness import Defect, are_surely_strict, strictness_defect
from schemas.topics import Kind

# Fields that HTTP V2 names differently, or does not have.
_NAMES: Final = {"timestamp": "time", "uuid": "insert_id", "version_name": "app_version"}
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
        events = json_in(fields_of(request), "e")
        try:
            return Opened(elements(events, self))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(plain(400, "missing_event")) from error

    def read(self, opened: Opened, context: Context) -> Batch:
        batch, are_strict = Batch(), are_surely_strict(opened.values)
        events = Translated(batch)
        for index, value in enumerate(opened.values, opened.first):
            defect = None if are_strict else strictness_defect(value)
            read = defect or event_of(value, context)
            if isinstance(read, Defect):
                events.add(index, value, read, context)
            else:
                whence = context if read.keeps_ip else context._replace(remote_ip=None)
                events.add(index, value, read.event, whence)
        events.read()
        return batch

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        return plain(200, "success")

    def unknown_key(self, key: str) -> Answer:
        return plain(400, "invalid_api_key")


class Read(NamedTuple):
    event: bytes
    keeps_ip: bool  # Unless the app's `trackingOptions` forbid it.


def event_of(value: bytes, context: Context) -> Read | Defect:
    """A strict event in the field names of HTTP V2; other fields stay byte for byte."""
    with room_for_members(value, context):
        return _taken_apart(value, context)


def _taken_apart(value: bytes, context: Context) -> Read | Defect:
    try:
        members = _object.decode(value)
    except msgspec.ValidationError:
        return Defect("not_an_object", "", "an event is one JSON object")
    library = _fields(members.pop("library", None), context)
    platform = _fields(members.pop("api_properties", None), context)
    members.pop("sequence_number", None)
    for older, name in _NAMES.items():
        if older in members:
            members[name] = members.pop(older)
    added: dict[str, object] = {}
    named = [library.get("name"), library.get("version")] if library else ()
    if texts := [text for text in named if isinstance(text, str)]:
        added["library"] = "/".join(texts)
    for name, given in platform.items():
        if name in _IDS and isinstance(given, str):
            added[_IDS[name]] = given
    if isinstance(location := platform.get("location"), dict):
        added |= {name: location.get(older) for name, older in _COORDINATES.items()}
    tracked = platform.get("tracking_options")
    keeps_ip = not isinstance(tracked, dict) or tracked.get("ip_address") is not False
    return Read(msgspec.json.encode(members | added if added else members), keeps_ip)


def _fields(value: Raw | None, context: Context) -> Fields:
    """The members of an object; none of anything else."""
    found = None if value is None else tree_of(bytes(value), context)
    return found if isinstance(found, dict) else {}
