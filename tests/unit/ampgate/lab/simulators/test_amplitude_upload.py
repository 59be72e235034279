"""`/2/httpapi` and `/batch` as amplitude.md#request, amplitude.md#deduplication and
amplitude.md#order-of-validation tell of them.
"""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.simulators.model import Request
from tests.unit.ampgate.lab.simulators.requests import (
    amplitude,
    answered,
    event,
    parsed,
    upload,
)

INVALID = "Invalid field values on some events"
MISSING = "Request missing required field"
SHORT = "Invalid id length for user_id or device_id"
PATHS = ["/2/httpapi", "/batch"]


@pytest.mark.parametrize("path", PATHS)
def test_success_tells_what_was_ingested(path: str) -> None:
    request = upload([event(1), event(2)], path)
    answer = answered(request, now=1_767_225_600.123)

    assert parsed(answer) == {
        "code": 200,
        "server_upload_time": 1_767_225_600_123,
        "payload_size_bytes": len(request.body),
        "events_ingested": 2,
    }


def test_an_empty_list_of_events_ingests_nothing() -> None:
    assert parsed(answered(upload([])))["events_ingested"] == 0


def test_records_are_received_byte_for_byte_on_one_line() -> None:
    model = amplitude()
    spaced = b'{ "event_type":"a",\n "user_id": "user-1", "x": 1.50 }'
    model.answer(Request("POST", "/batch", body=b'{"api_key":"k","events":[' + spaced + b"]}"), 0.0)

    assert [record.body for record in model.received] == [spaced.replace(b"\n", b" ")]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "Missing request body"),
        (b"{", 400, "Invalid JSON request body"),
        (b"[]", 400, "Invalid JSON request body"),
        (b'{"a":"\xff"}', 400, "Invalid JSON request body"),
        (b'{"events":[]}', 400, MISSING),
        (b'{"api_key":"key"}', 400, MISSING),
        (b'{"api_key":"key","events":{}}', 400, "Invalid event JSON"),
        (b'{"api_key":"key","events":[1]}', 400, "Invalid event JSON"),
        (b'{"api_key":"wrong","events":[]}', 400, "Invalid API key: wrong"),
    ],
)
def test_a_request_that_is_no_upload_is_refused_in_amplitudes_words(
    path: str, body: bytes, status: int, error: str
) -> None:
    model = amplitude(accepted_keys=frozenset({"key"}))
    answer = answered(Request("POST", path, body=body), model)

    assert (answer.status, parsed(answer)["error"]) == (status, error)


@pytest.mark.parametrize(
    ("request_", "name"), [(upload([], api_key=...), "api_key"), (upload(...), "events")]
)
def test_a_missing_member_is_named_and_a_violation(request_: Request, name: str) -> None:
    model = amplitude()
    answer = answered(request_, model)

    assert parsed(answer) == {"code": 400, "error": MISSING, "missing_field": name}
    assert model.violations.total == 1


@pytest.mark.parametrize("method_and_path", [("GET", "/batch"), ("POST", "/3/httpapi")])
def test_another_path_or_method_is_invalid(method_and_path: tuple[str, str]) -> None:
    answer = answered(Request(*method_and_path))

    assert parsed(answer) == {"code": 400, "error": "Invalid request path"}


@pytest.mark.parametrize(
    ("members", "error", "where", "fields"),
    [
        ({"event_type": ...}, MISSING, "missing", ["event_type"]),
        ({"event_type": None}, MISSING, "missing", ["event_type"]),
        ({"user_id": ..., "device_id": ...}, MISSING, "missing", ["user_id", "device_id"]),
        ({"event_type": " "}, INVALID, "invalid", ["event_type"]),
        ({"event_type": 7}, INVALID, "invalid", ["event_type"]),
        ({"time": "2026-01-01"}, INVALID, "invalid", ["time"]),
        ({"time": 1.5}, INVALID, "invalid", ["time"]),
        ({"session_id": True}, INVALID, "invalid", ["session_id"]),
        ({"event_id": "1"}, INVALID, "invalid", ["event_id"]),
        ({"event_properties": []}, INVALID, "invalid", ["event_properties"]),
        ({"user_properties": "x", "time": "y"}, INVALID, "invalid", ["time", "user_properties"]),
        ({"groups": 1}, INVALID, "invalid", ["groups"]),
        ({"user_id": 12345, "device_id": ...}, INVALID, "invalid", ["user_id"]),
        ({"user_id": " Null "}, INVALID, "invalid", ["user_id"]),
        ({"user_id": ""}, INVALID, "invalid", ["user_id"]),
        ({"device_id": "00000000-0000-0000-0000-000000000000"}, INVALID, "invalid", ["device_id"]),
        ({"device_id": "0000000000"}, INVALID, "invalid", ["device_id"]),
    ],
)
def test_a_bad_event_is_named_by_index(
    members: dict[str, object], error: str, where: str, fields: list[str]
) -> None:
    bad = [event(0), event(1, **members), event(2, **members)]
    batch, httpapi = answered(upload(bad)), answered(upload(bad, "/2/httpapi"))

    assert parsed(batch)["error"] == error
    assert parsed(batch)[f"events_with_{where}_fields"] == {name: [1, 2] for name in fields}
    assert parsed(httpapi)[f"events_with_{where}_fields"] == {name: [1] for name in fields}


@pytest.mark.parametrize("name", ["time", "event_properties", "user_id", "insert_id"])
def test_null_counts_as_absent(name: str) -> None:
    assert answered(upload([event(1, **{name: None})])).status == 200


def test_a_group_identify_needs_no_id() -> None:
    members = {"event_type": "$groupidentify", "user_id": ..., "device_id": ...}

    assert answered(upload([event(1, **members)])).status == 200


def test_a_short_id_is_refused_by_httpapi_even_beside_a_long_one() -> None:
    answer = answered(upload([event(1, user_id="u1")], "/2/httpapi"))

    assert (answer.status, parsed(answer)["error"]) == (400, SHORT)
    assert parsed(answer)["events_with_invalid_id_lengths"] == {"user_id": [0]}


def test_a_short_id_is_dropped_by_batch_and_refused_only_when_none_is_left() -> None:
    kept = upload([event(1, user_id="u1")])
    lost = upload([event(0), event(1, user_id="u1", device_id=...)])

    assert answered(kept).status == 200
    assert parsed(answered(lost))["events_with_invalid_id_lengths"] == {"user_id": [1]}


def test_which_endpoint_refuses_short_ids_can_be_switched() -> None:
    model = amplitude(short_ids={"/batch": "reject", "/2/httpapi": "drop", "/identify": "drop"})
    short = [event(1, user_id="u1")]

    assert answered(upload(short), model).status == 400
    assert answered(upload(short, "/2/httpapi"), model).status == 200


@pytest.mark.parametrize("path", PATHS)
def test_min_id_length_is_the_requests_own(path: str) -> None:
    short = [event(1, user_id="u", device_id=...)]

    assert answered(upload(short, path, options={"min_id_length": 1})).status == 200
    assert answered(upload(short, path, options="undefined")).status == 400


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(PATHS),
    st.binary() | st.dictionaries(st.sampled_from(sorted(event(0))), JSON_VALUES),
)
def test_no_body_breaks_the_simulator(path: str, found: bytes | dict[str, object]) -> None:
    try:
        body = found if isinstance(found, bytes) else upload([found]).body
    except orjson.JSONEncodeError:
        return  # A lone surrogate, or an integer over 64 bits: not to be sent this way.
    answer = answered(Request("POST", path, body=body))

    assert answer.status in (200, 400)
