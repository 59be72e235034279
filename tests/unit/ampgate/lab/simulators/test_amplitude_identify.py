"""`/identify` and `/groupidentify` as amplitude.md#identify and amplitude.md#group-identify tell of
them.
"""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.simulators.model import Conditions, Request
from tests.unit.ampgate.lab.simulators.requests import (
    FORM,
    JSON,
    amplitude,
    answered,
    event,
    identify,
    received,
    upload,
)

ONE = {"user_id": "user-1", "user_properties": {"$set": {"plan": "pro"}}}
GROUP = {"group_type": "org id", "group_value": "15", "group_properties": {"size": 3}}
MULTIPART = (
    b'--xyz\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nkey\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="identification"\r\n'
    b"Content-Type: application/json\r\n\r\n"
    b'[{"user_id":"user-1","user_properties":{"$set":{"plan":"pro"}}}]\r\n--xyz--\r\n'
)


@pytest.mark.parametrize(
    "request_",
    [
        identify(ONE),
        identify([ONE]),
        identify(ONE, options="undefined"),
        Request(
            "POST",
            "/identify",
            "",
            {"content-type": "multipart/form-data; boundary=xyz"},
            MULTIPART,
        ),
        Request("GET", "/identify", identify(ONE).body.decode()),
    ],
    ids=["one", "array", "options", "multipart", "get"],
)
def test_success_is_one_plain_word(request_: Request) -> None:
    model = amplitude()
    answer = answered(request_, model)

    assert (answer.status, answer.body) == (200, b"success")
    assert answer.headers["content-type"].startswith("text/plain")
    assert received(model) == [ONE]
    assert model.properties({"user_id": "user-1"}) == {"plan": "pro"}


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        (Request("POST", "/identify", "", FORM, b"api_key=key"), 400, b"missing_event"),
        (identify([]), 400, b"missing_event"),
        (identify("text"), 400, b"missing_event"),
        (identify(ONE, api_key="wrong"), 400, b"invalid_api_key"),
        (identify(ONE, api_key=""), 400, b"invalid_api_key"),
        (identify({"user_properties": {}}), 400, b"invalid_event_field"),
        (identify({"user_id": 7}), 400, b"invalid_event_field"),
        (identify([ONE, {"user_id": "null"}]), 400, b"invalid_event_field"),
        (identify(GROUP | {"group_value": ["a"]}, "/groupidentify"), 400, b"invalid_event_field"),
        (identify(ONE, "/groupidentify"), 400, b"invalid_event_field"),
        (identify([ONE] * 1025), 413, b"payload_too_large"),
        (Request("GET", "/identify", "x" * 9000), 414, b"uri_too_long"),
    ],
)
def test_a_refusal_is_a_plain_code_and_stores_nothing(
    request_: Request, status: int, text: bytes
) -> None:
    model = amplitude(accepted_keys=frozenset({"key"}))
    answer = answered(request_, model)

    assert (answer.status, answer.body) == (status, text)
    assert received(model) == []


@pytest.mark.parametrize("headers", [JSON, FORM | {"content-encoding": "gzip"}])
def test_json_and_gzip_are_violations(headers: dict[str, str]) -> None:
    model = amplitude()
    body = b'{"api_key":"key","identification":{"user_id":"user-1"}}'
    answer = answered(Request("POST", "/identify", "", headers, body), model)

    assert (answer.status, answer.body) == (400, b"missing_event")
    assert model.violations.total == 1


def test_one_user_twice_in_a_request_is_throttled_and_a_violation() -> None:
    model = amplitude()
    answer = answered(identify([ONE, ONE]), model)

    assert (answer.status, answer.body) == (429, b"too_many_requests")
    assert model.violations.first == ["/identify: 'user-1' twice in one request"]
    assert received(model) == []


def test_a_throttled_user_waits_fifteen_seconds() -> None:
    model = amplitude()
    conditions = Conditions(throttled={"user-1": None})

    assert answered(identify(ONE), model, 100.0, conditions).status == 429
    assert answered(identify(ONE), model, 115.0).status == 200
    assert model.violations.total == 0


def test_groups_have_properties_of_their_own() -> None:
    model = amplitude()
    answer = answered(identify(GROUP, "/groupidentify"), model)

    assert answer.body == b"success"
    assert model.properties({"group_type": "org id", "group_value": "15"}) == {"size": 3}


def test_properties_come_through_batch_too() -> None:
    model = amplitude()
    events = [
        event(1, event_type="$identify", user_properties={"$add": {"logins": 2}}),
        event(2, user_id="user-1", user_properties={"plan": "pro"}),
        event(
            3, user_id="user-1", user_properties={"x": 1}, **{"$skip_user_properties_sync": True}
        ),
        event(
            4, event_type="$groupidentify", groups={"org": ["a", "b"]}, group_properties={"n": 1}
        ),
    ]
    answered(upload([*events, events[0]]), model)

    assert model.properties({"user_id": "user-1"}) == {"logins": 2, "plan": "pro"}
    assert model.properties({"group_type": "org", "group_value": "b"}) == {"n": 1}


def test_past_1800_updates_an_hour_a_user_is_ignored_in_silence() -> None:
    model = amplitude()
    for second in range(1801):
        add = {"user_id": "user-1", "user_properties": {"$add": {"n": 1}}}
        assert answered(identify(add), model, second / 2).body == b"success"

    assert model.properties({"user_id": "user-1"}) == {"n": 1800}
    assert model.stats()["property_updates_ignored"] == 1


@given(
    st.binary(), st.sampled_from([FORM, JSON, {"content-type": "multipart/form-data; boundary=b"}])
)
def test_no_body_breaks_the_simulator(body: bytes, headers: dict[str, str]) -> None:
    whole = urlencode({"api_key": "key", "identification": body}).encode()
    for candidate in (body, whole):
        answer = answered(Request("POST", "/identify", "", headers, candidate))
        assert answer.status in (200, 400)
