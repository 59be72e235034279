"""The requests of every dialect, as a client of its vendor sends them."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Headers = dict[str, str]
Json = Any


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, ready to be posted."""

    path: str
    body: bytes
    headers: Headers


def _json(path: str, body: Json, **headers: str) -> Sent:
    return Sent(path, json.dumps(body).encode(), {"content-type": "application/json"} | headers)


def _bearer(key: str) -> Headers:
    return {"authorization": f"Bearer {key}"}


def _basic(key: str) -> Headers:
    return {"authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}


def insert_id(user: str, name: str) -> str:
    return f"{user}-{name}"


def native(key: str, user: str, names: list[str]) -> Sent:
    events = [
        {"event_type": name, "user_id": user, "insert_id": insert_id(user, name)} for name in names
    ]
    return _json("/v1/events", events, **_bearer(key))


def native_properties(key: str, user: str, names: list[str]) -> Sent:
    return _json("/v1/user-properties", updates(user, names), **_bearer(key))


def native_groups(key: str, user: str, names: list[str]) -> Sent:
    return _json("/v1/group-properties", group_updates(user, names), **_bearer(key))


def updates(user: str, names: list[str]) -> list[Json]:
    return [
        {"user_id": user, "user_properties": {"$set": {"n": name}}}
        | {"insert_id": insert_id(user, name)}
        for name in names
    ]


def group_updates(group: str, names: list[str]) -> list[Json]:
    return [
        {"group_type": "org", "group_value": group, "group_properties": {"$set": {"n": name}}}
        | {"insert_id": insert_id(group, name)}
        for name in names
    ]


def first_events(user: str, names: list[str]) -> list[Json]:
    events: list[Json] = json.loads(native("", user, names).body)
    return events


def amplitude(path: str) -> Callable[[str, str, list[str]], Sent]:
    def send(key: str, user: str, names: list[str]) -> Sent:
        events = json.loads(native(key, user, names).body)
        body = {"api_key": key, "events": events, "options": {"min_id_length": 1}}
        return _json(path, body)

    return send


def form(
    path: str, made: Callable[[str, list[str]], list[Json]], member: str = "identification"
) -> Callable[..., Sent]:
    def send(key: str, user: str, names: list[str]) -> Sent:
        records = quote(json.dumps(made(user, names)))
        options = quote('{"min_id_length":1}')
        body = f"api_key={key}&{member}={records}&options={options}"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return Sent(path, body.encode(), headers)

    return send


def legacy(key: str, user: str, names: list[str]) -> Sent:
    events = [
        {"event_type": name, "user_id": user, "timestamp": 1767225600000}
        | {"uuid": insert_id(user, name), "library": {"name": "amplitude-js", "version": "8"}}
        for name in names
    ]
    body = f"checksum=0&client={key}&e={quote(json.dumps(events))}&upload_time=1767225600000&v=2"
    headers = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    return Sent("/", body.encode(), headers)


def segment(key: str, user: str, names: list[str]) -> Sent:
    calls = [
        {"type": "track", "event": name, "userId": user, "messageId": insert_id(user, name)}
        for name in names
    ]
    return _json("/segment/v1/batch", {"batch": calls}, **_basic(key))


def segment_track(key: str, user: str, names: list[str]) -> Sent:
    (call,) = json.loads(segment(key, user, names).body)["batch"]
    return _json("/segment/v1/t", call | {"writeKey": key}, **{"content-type": "text/plain"})


def aampe(key: str, user: str, names: list[str]) -> Sent:
    (name,) = names
    body = {"contact_id": user, "event_name": name, "timestamp": 1767225600.5}
    return _json("/aampe/v1/events", body | {"event_id": insert_id(user, name)}, **_bearer(key))


def aampe_properties(key: str, user: str, names: list[str]) -> Sent:
    (name,) = names
    body = {"contact_id": user, "timestamp": 1767225600, "user_properties": {"n": name}}
    body["event_id"] = insert_id(user, name)
    return _json("/aampe/v1/properties", body, **_bearer(key))


def amplemarket(key: str, user: str, names: list[str]) -> Sent:
    (name,) = names
    body = {"is_reply": True, "id": name, "dynamic_fields": {"email": user}, "labels": [name]}
    return _json(f"/webhooks/amplemarket/{key}", body)
