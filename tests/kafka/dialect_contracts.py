"""Every dialect, as a client of its vendor sees it: a table for the tests that hold for all."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from amplitude.http_client import Response  # type: ignore[import-untyped]  # It ships no types.

from tests.kafka.dialect_requests import (
    Json,
    Sent,
    aampe,
    aampe_properties,
    amplemarket,
    amplitude,
    first_events,
    form,
    group_updates,
    legacy,
    native,
    native_groups,
    native_properties,
    segment,
    segment_track,
    updates,
)


@dataclass(frozen=True, slots=True)
class Contract:
    """One endpoint of a dialect: how to send `names` of a user, and how its answers read."""

    name: str
    topic: str
    success: int
    unknown_key: int
    takes_many: bool
    send: Callable[[str, str, list[str]], Sent]
    stored_name: Callable[[Json], str]
    reads_success: Callable[[bytes, int], bool]
    reads_refusal: Callable[[bytes, int], bool]

    def with_body(self, body: bytes) -> Sent:
        sent = self.send("secret", "u", ["n"])
        return Sent(sent.path, body, sent.headers)


def _event_type(value: Json) -> str:
    return str(value["event_type"])


def _user_property(value: Json) -> str:
    return str(value["user_properties"]["$set"]["n"])


def _group_property(value: Json) -> str:
    return str(value["group_properties"]["$set"]["n"])


def _label(value: Json) -> str:
    return str(value["event_properties"]["labels"][0])


def _native_success(body: bytes, count: int) -> bool:
    answer: Json = json.loads(body)
    return bool(answer["accepted"] == count and answer["rejected"] == [])


def _native_refusal(body: bytes, status: int) -> bool:
    answer = json.loads(body)
    return answer["code"] == status and isinstance(answer["error"], str)


def _amplitude_success(body: bytes, count: int) -> bool:
    response = Response().parse(BytesIO(body))  # As its Python SDK does.
    return bool(response.code == 200 and response.body["events_ingested"] == count)


def _amplitude_refusal(body: bytes, status: int) -> bool:
    response = Response().parse(BytesIO(body))
    return bool(response.code == status and isinstance(response.error, str))


def _form_success(body: bytes, _count: int) -> bool:
    return body == b"success"


def _form_refusal(body: bytes, _status: int) -> bool:
    return body != b"success" and b"<" not in body


def _segment_success(body: bytes, _count: int) -> bool:
    return bool(json.loads(body) == {"success": True})


def _segment_refusal(body: bytes, _status: int) -> bool:
    answer = json.loads(body)  # Both Python SDKs read them; a wrong type makes them fail.
    return all(isinstance(answer[name], str) for name in ("code", "message"))


def _aampe_success(body: bytes, _count: int) -> bool:
    return json.loads(body) is None


def _aampe_refusal(body: bytes, _status: int) -> bool:
    detail = json.loads(body)["detail"]
    if isinstance(detail, str):
        return bool(detail)
    return all({"type", "loc", "msg"} <= entry.keys() for entry in detail)


def _amplemarket_success(body: bytes, count: int) -> bool:
    return bool(json.loads(body)["accepted"] == count)


_NATIVE = (_native_success, _native_refusal)
_AMPLITUDE = (_amplitude_success, _amplitude_refusal)
_FORM = (_form_success, _form_refusal)
_SEGMENT = (_segment_success, _segment_refusal)
_AAMPE = (_aampe_success, _aampe_refusal)
_WEBHOOK = (_amplemarket_success, _native_refusal)
USERS, GROUPS = "user-properties", "group-properties"
MANY, ONE = True, False
CONTRACTS = [
    Contract("native", "events", 202, 401, MANY, native, _event_type, *_NATIVE),
    Contract("native-users", USERS, 202, 401, MANY, native_properties, _user_property, *_NATIVE),
    Contract("native-groups", GROUPS, 202, 401, MANY, native_groups, _group_property, *_NATIVE),
    Contract(
        *("httpapi", "events", 200, 400, MANY), amplitude("/2/httpapi"), _event_type, *_AMPLITUDE
    ),
    Contract("batch", "events", 200, 400, MANY, amplitude("/batch"), _event_type, *_AMPLITUDE),
    Contract("identify", USERS, 200, 400, MANY, form("/identify", updates), _user_property, *_FORM),
    Contract(
        *("groupidentify", GROUPS, 200, 400, MANY),
        form("/groupidentify", group_updates),
        _group_property,
        *_FORM,
    ),
    Contract(
        *("first-httpapi", "events", 200, 400, MANY),
        form("/httpapi", first_events, "event"),
        _event_type,
        *_FORM,
    ),
    Contract("legacy", "events", 200, 400, MANY, legacy, _event_type, *_FORM),
    Contract("segment", "events", 200, 401, MANY, segment, _event_type, *_SEGMENT),
    Contract("segment-track", "events", 200, 401, ONE, segment_track, _event_type, *_SEGMENT),
    Contract("aampe", "events", 202, 401, ONE, aampe, _event_type, *_AAMPE),
    Contract("aampe-users", USERS, 202, 401, ONE, aampe_properties, _user_property, *_AAMPE),
    Contract("amplemarket", "events", 200, 401, ONE, amplemarket, _label, *_WEBHOOK),
]
