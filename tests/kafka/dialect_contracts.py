"""Every dialect, as a client of its vendor sees it: a table for the tests that hold for all."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import quote

from amplitude.http_client import Response  # type: ignore[import-untyped]  # It ships no types.

Headers = dict[str, str]
Json = Any


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, ready to be posted."""

    path: str
    body: bytes
    headers: Headers


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


def _json(path: str, body: Json, **headers: str) -> Sent:
    return Sent(path, json.dumps(body).encode(), {"content-type": "application/json"} | headers)


def _bearer(key: str) -> Headers:
    return {"authorization": f"Bearer {key}"}


def _basic(key: str) -> Headers:
    return {"authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}


def insert_id(user: str, name: str) -> str:
    return f"{user}-{name}"


def _native(key: str, user: str, names: list[str]) -> Sent:
    events = [
        {"event_type": name, "user_id": user, "insert_id": insert_id(user, name)} for name in names
    ]
    return _json("/v1/events", events, **_bearer(key))


def _native_properties(key: str, user: str, names: list[str]) -> Sent:
    return _json("/v1/user-properties", _updates(user, names), **_bearer(key))


def _native_groups(key: str, user: str, names: list[str]) -> Sent:
    return _json("/v1/group-properties", _group_updates(user, names), **_bearer(key))


def _updates(user: str, names: list[str]) -> list[Json]:
    return [
        {"user_id": user, "user_properties": {"$set": {"n": name}}}
        | {"insert_id": insert_id(user, name)}
        for name in names
    ]


def _group_updates(group: str, names: list[str]) -> list[Json]:
    return [
        {"group_type": "org", "group_value": group, "group_properties": {"$set": {"n": name}}}
        | {"insert_id": insert_id(group, name)}
        for name in names
    ]


def _amplitude(path: str) -> Callable[[str, str, list[str]], Sent]:
    def send(key: str, user: str, names: list[str]) -> Sent:
        events = json.loads(_native(key, user, names).body)
        body = {"api_key": key, "events": events, "options": {"min_id_length": 1}}
        return _json(path, body)

    return send


def _form(path: str, made: Callable[[str, list[str]], list[Json]]) -> Callable[..., Sent]:
    def send(key: str, user: str, names: list[str]) -> Sent:
        identification = quote(json.dumps(made(user, names)))
        options = quote('{"min_id_length":1}')
        body = f"api_key={key}&identification={identification}&options={options}"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return Sent(path, body.encode(), headers)

    return send


def _legacy(key: str, user: str, names: list[str]) -> Sent:
    events = [
        {"event_type": name, "user_id": user, "timestamp": 1767225600000}
        | {"uuid": insert_id(user, name), "library": {"name": "amplitude-js", "version": "8"}}
        for name in names
    ]
    body = f"checksum=0&client={key}&e={quote(json.dumps(events))}&upload_time=1767225600000&v=2"
    headers = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    return Sent("/", body.encode(), headers)


def _segment(key: str, user: str, names: list[str]) -> Sent:
    calls = [
        {"type": "track", "event": name, "userId": user, "messageId": insert_id(user, name)}
        for name in names
    ]
    return _json("/segment/v1/batch", {"batch": calls}, **_basic(key))


def _segment_track(key: str, user: str, names: list[str]) -> Sent:
    (call,) = json.loads(_segment(key, user, names).body)["batch"]
    return _json("/segment/v1/t", call | {"writeKey": key}, **{"content-type": "text/plain"})


def _aampe(key: str, user: str, names: list[str]) -> Sent:
    (name,) = names
    body = {"contact_id": user, "event_name": name, "timestamp": 1767225600.5}
    return _json("/aampe/v1/events", body | {"event_id": insert_id(user, name)}, **_bearer(key))


def _aampe_properties(key: str, user: str, names: list[str]) -> Sent:
    (name,) = names
    body = {"contact_id": user, "timestamp": 1767225600, "user_properties": {"n": name}}
    body["event_id"] = insert_id(user, name)
    return _json("/aampe/v1/properties", body, **_bearer(key))


def _amplemarket(key: str, user: str, names: list[str]) -> Sent:
    (name,) = names
    body = {"is_reply": True, "id": name, "dynamic_fields": {"email": user}, "labels": [name]}
    return _json(f"/webhooks/amplemarket/{key}", body)


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
    answer = json.loads(body)  # The members that both Python SDKs read, or stumble over.
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
    Contract("native", "events", 202, 401, MANY, _native, _event_type, *_NATIVE),
    Contract("native-users", USERS, 202, 401, MANY, _native_properties, _user_property, *_NATIVE),
    Contract("native-groups", GROUPS, 202, 401, MANY, _native_groups, _group_property, *_NATIVE),
    Contract(
        *("httpapi", "events", 200, 400, MANY), _amplitude("/2/httpapi"), _event_type, *_AMPLITUDE
    ),
    Contract("batch", "events", 200, 400, MANY, _amplitude("/batch"), _event_type, *_AMPLITUDE),
    Contract(
        "identify", USERS, 200, 400, MANY, _form("/identify", _updates), _user_property, *_FORM
    ),
    Contract(
        *("groupidentify", GROUPS, 200, 400, MANY),
        _form("/groupidentify", _group_updates),
        _group_property,
        *_FORM,
    ),
    Contract("legacy", "events", 200, 400, MANY, _legacy, _event_type, *_FORM),
    Contract("segment", "events", 200, 401, MANY, _segment, _event_type, *_SEGMENT),
    Contract("segment-track", "events", 200, 401, ONE, _segment_track, _event_type, *_SEGMENT),
    Contract("aampe", "events", 202, 401, ONE, _aampe, _event_type, *_AAMPE),
    Contract("aampe-users", USERS, 202, 401, ONE, _aampe_properties, _user_property, *_AAMPE),
    Contract("amplemarket", "events", 200, 401, ONE, _amplemarket, _label, *_WEBHOOK),
]
