"""Amplitude's dialect: what its SDKs rely on."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import ENDPOINTS
from gateway.dialects.amplitude_forms import Form
from gateway.dialects.amplitude_http import HttpApi
from gateway.dialects.shapes import Answer, Batch, Context, RefusedError, Request
from schemas.topics import Kind
from tests.unit.gateway.calls import ROOM

CONTEXT = Context([("source", b"s")], 1000, "9.9.9.9", lambda ip: ip, keeps_ip=True, room=ROOM)
GOOD = {"event_type": "a", "user_id": "user-1", "time": 1, "insert_id": "i", "ip": "1.2.3.4"}
API = HttpApi()
USERS = Form(Kind.USER_PROPERTIES)
USER = {"user_id": "user-1", "user_properties": {"$set": {"a": 1}}}
MULTIPART = (
    b'--B\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nk\r\n'
    b'--B\r\nContent-Disposition: form-data; name="identification"\r\n\r\n'
    + json.dumps(USER).encode()
    + b"\r\n--B--\r\n"
)


def request(body: object, content_type: bytes = b"application/json") -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("/2/httpapi", b"", {b"content-type": content_type}, raw)


def run(events: list[Any], **more: object) -> Batch | Answer:
    try:
        batch = API.read(API.open(request({"api_key": "k", "events": events} | more)), CONTEXT)
        return API.refusal(batch) or batch
    except RefusedError as refused:
        return refused.answer


def maps(answer: Batch | Answer) -> tuple[Any, Any, Any]:
    assert isinstance(answer, Answer)
    assert answer.status == 400
    body = json.loads(answer.body)
    assert (body["code"], type(body["error"])) == (400, str)
    names = ("missing_fields", "invalid_fields", "invalid_id_lengths")
    missing, invalid, short = (body[f"events_with_{name}"] for name in names)
    return missing, invalid, short


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([GOOD, {"user_id": "user-1"}], ({"event_type": [1]}, {}, {})),
        ([{"event_type": "a"}, GOOD, {"event_type": "b"}], ({"user_id": [0, 2]}, {}, {})),
        ([GOOD | {"time": "2026"}, GOOD | {"time": 1.5}], ({}, {"time": [0, 1]}, {})),
        ([GOOD | {"event_type": " "}], ({}, {"event_type": [0]}, {})),
        ([GOOD | {"user_id": "anonymous"}], ({}, {"user_id": [0]}, {})),
        ([GOOD | {"user_id": "abc"}], ({}, {"user_id": [0]}, {"user_id": [0]})),
        ([7, GOOD], ({}, {"event": [0]}, {})),
    ],
)
def test_every_bad_index_is_listed(events: list[Any], expected: Any) -> None:  # noqa: ANN401
    assert maps(run(events)) == expected


@pytest.mark.parametrize(("length", "accepted"), [(1, True), (3, True), (4, False), (None, False)])
def test_the_request_may_set_its_own_shortest_id(length: int | None, *, accepted: bool) -> None:
    answer = run([GOOD | {"user_id": "abc"}], options={"min_id_length": length})
    assert isinstance(answer, Batch) is accepted


def test_a_group_identify_needs_no_ids() -> None:
    event = {"event_type": "$groupidentify", "groups": {"org": "A"}, "group_properties": {"n": 1}}
    batch = run([event], options={})
    assert isinstance(batch, Batch)
    assert batch.records[0].key == b"org:A"


@pytest.mark.parametrize(
    ("body", "error", "field"),
    [
        (b"", "Missing request body", None),
        (b"{", "Invalid JSON request body", None),
        ({"events": []}, "Request missing required field", "api_key"),
        ({"api_key": "k"}, "Request missing required field", "events"),
    ],
)
def test_a_request_that_cannot_be_used_is_refused_in_amplitudes_words(
    body: object, error: str, field: str | None
) -> None:
    with pytest.raises(RefusedError) as raised:
        API.open(request(body))
    answer = json.loads(raised.value.answer.body)
    assert answer["error"].startswith(error)
    assert answer.get("missing_field") == field


def test_success_and_wrong_key_read_as_amplitudes() -> None:
    asked = request({"api_key": "k", "events": [GOOD]})
    answer = API.success(asked, API.read(API.open(asked), CONTEXT), 5)
    assert json.loads(answer.body) == {
        "code": 200,
        "events_ingested": 1,
        "payload_size_bytes": len(asked.body),
        "server_upload_time": 5,
    }


@pytest.mark.parametrize("key", ["kk", "k" * 1_000], ids=["short", "long"])
def test_a_wrong_key_is_repeated_as_a_whole(key: str) -> None:
    """Else the SDK for Swift would send its events again and again."""
    refusal = json.loads(API.unknown_key(key).body)
    assert refusal == {"code": 400, "error": f"Invalid API key: {key}"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (
            urlencode({"api_key": "k", "identification": json.dumps(USER), "options": "undefined"}),
            b"application/x-www-form-urlencoded",
        ),
        (MULTIPART.decode(), b"multipart/form-data; boundary=B"),
        (json.dumps({"api_key": "k", "identification": [USER]}), b"application/json"),
        (json.dumps({"api_key": "k", "identification": json.dumps(USER)}), b"application/json"),
    ],
)
def test_identify_takes_forms_and_json(body: str, content_type: bytes) -> None:
    asked = request(body.encode(), content_type)
    batch = USERS.read(USERS.open(asked), CONTEXT)
    assert USERS.sent_key(asked) == "k"
    assert batch.records[0].key == b"user-1"
    value = json.loads(batch.records[0].value)
    assert value["user_properties"] == USER["user_properties"]
    assert USERS.success(asked, batch, 1).body == b"success"


@pytest.mark.parametrize(
    ("boundary", "stated"),
    [
        ("B", "boundary=B"),
        ("B", 'charset=utf-8; Boundary="B"'),
        ("a b;c,d:e=f", 'boundary="a b;c,d:e=f"'),
        ("----WebKitFormBoundary7MA4", "boundary=----WebKitFormBoundary7MA4"),
    ],
)
@pytest.mark.parametrize(
    "disposition",
    [
        'Content-Disposition: form-data; name="identification"',
        "content-disposition:form-data;name=identification",
        'X-Type: a; name=x\r\nContent-Disposition: x; filename="name=y"; name=identification',
    ],
)
def test_a_form_of_several_parts_is_read_as_its_headers_say(
    boundary: str, stated: str, disposition: str
) -> None:
    text = json.dumps(USER)
    body = f"--{boundary}\r\n{disposition}\r\n\r\n{text}\r\n--{boundary}--\r\n"
    opened = USERS.open(request(body.encode(), f"multipart/form-data; {stated}".encode()))

    assert [json.loads(value) for value in opened.values] == [USER]


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_any_bytes_are_some_form_of_several_parts_or_none(body: bytes, more: bytes) -> None:
    asked = request(b"--B\r\n" + body, b"multipart/form-data; boundary=B;" + more)

    statuses = []
    try:
        USERS.open(asked)
    except RefusedError as refused:
        statuses = [refused.answer.status]

    assert statuses in ([], [400])


def test_a_form_may_have_its_text_as_it_is() -> None:
    user = {"user_id": "Grüße 🚀", "user_properties": {"ключ": "✓"}}
    text = json.dumps(user, ensure_ascii=False)
    for identification in (text, urlencode({"": text})[1:]):
        form = f"api_key=k&identification={identification}".encode()
        opened = USERS.open(request(form, b"application/x-www-form-urlencoded"))
        assert [json.loads(value) for value in opened.values] == [user]


def test_half_an_emoji_in_a_form_costs_no_update() -> None:
    text = json.dumps(USER | {"user_properties": {"a": "cut \ud83d"}})
    form = urlencode({"api_key": "k", "identification": text}).encode()
    as_json = json.dumps({"api_key": "k", "identification": text}).encode()
    for asked in (
        request(form, b"application/x-www-form-urlencoded"),
        request(as_json),
        Request("/identify", form, {}, b""),
    ):
        batch = USERS.read(USERS.open(asked), CONTEXT)
        (value,) = [json.loads(record.value) for record in batch.records]
        assert value["user_properties"] == {"a": "cut \ufffd"}


def test_identify_takes_query_parameters() -> None:
    query = urlencode({"api_key": "k", "identification": json.dumps(USER)}).encode()
    asked = Request("/identify", query, {}, b"")
    assert USERS.seen_key(asked) == "k"
    assert USERS.read(USERS.open(asked), CONTEXT).records[0].key == b"user-1"
    assert "GET" in USERS.methods
    assert "GET" not in API.methods


def test_every_endpoint_can_say_no_in_json() -> None:
    for endpoint in (
        endpoint for endpoint in ENDPOINTS.values() if endpoint.dialect == "amplitude"
    ):
        for status in (405, 408, 413, 415, 429, 503):
            answer = endpoint.failure(status, "no")
            assert (answer.status, json.loads(answer.body)["code"]) == (status, status)
