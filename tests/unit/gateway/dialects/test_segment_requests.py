"""Segment's dialect over HTTP: its paths, its keys, its answers; what it cannot use it keeps."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.gateway.calls import basic, call
from tests.unit.gateway.dialects.segment_calls import CALLS, TRACK, batch


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"type": "alias", "previousId": "p"}, "alias_not_supported"),
        ({"type": "nonsense"}, "unknown_type"),
        ({"type": None}, "unknown_type"),
        ({"event": None}, "missing_event_type"),
        ({"event": " "}, "invalid_event_type"),
        ({"userId": None, "anonymousId": None}, "missing_id"),
        ({"userId": True}, "invalid_type"),
        ({"userId": "anonymous"}, "invalid_id"),
        ({"timestamp": "yesterday"}, "invalid_type"),
        ({"properties": [1]}, "invalid_type"),
        ({"traits": "x"}, "invalid_type"),
        ({"type": "group"}, "missing_group"),
        ({"properties": {"a": json.loads("[" * 50 + "]" * 50)}}, "too_deep"),
    ],
)
def test_what_cannot_be_used_is_kept_and_answered_with_success(
    members: dict[str, Any], reason: str
) -> None:
    bad = TRACK | members
    found = batch(TRACK, bad, TRACK)
    assert (found.status, found.json) == (200, {"success": True})
    assert len(found.values) == 2
    assert found.reasons == [reason]
    assert json.loads(found.batch.rejected[0].value) == bad
    assert found.batch.rejected[0].index == 1


@pytest.mark.parametrize("odd", [{}, {"a": 1}, [], ["x"], True])
@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("type", "unknown_type"),
        ("event", "missing_event_type"),
        ("userId", "invalid_type"),
        ("anonymousId", "invalid_type"),
        ("messageId", "invalid_type"),
        ("originalTimestamp", None),
        ("timestamp", "invalid_type"),
        ("name", None),
        ("category", None),
        ("groupId", None),
        ("channel", None),
        ("sentAt", None),
        ("sessionId", None),
        ("session_id", None),
    ],
)
def test_an_object_or_an_array_is_no_text_and_no_number(
    member: str, reason: str | None, odd: object
) -> None:
    found = batch(TRACK | {member: odd})

    assert found.reasons == ([] if reason is None else [reason])
    if reason is None:
        without_it = batch(TRACK)
        assert found.values == without_it.values


@pytest.mark.parametrize(("levels", "reasons"), [(38, []), (39, ["too_deep"])])
def test_traits_that_become_too_deep_as_operations_are_kept_aside(
    levels: int, reasons: list[str]
) -> None:
    traits = {"a": json.loads("[" * levels + "]" * levels)}
    assert batch(TRACK, TRACK | {"type": "identify", "traits": traits}).reasons == reasons


@examples(50)
@given(st.lists(st.sampled_from(CALLS), min_size=1, max_size=30), st.integers(0, 100))
def test_of_a_batch_each_call_becomes_what_it_is_alone(calls: list[object], usual: int) -> None:
    calls = [*calls, *[TRACK] * usual]
    together, each = batch(*calls), [batch(call) for call in calls]

    assert together.batch.records == [record for one in each for record in one.batch.records]
    assert together.reasons == [reason for one in each for reason in one.reasons]
    rejected = [index for index, one in enumerate(each) if one.reasons]
    assert [rejection.index for rejection in together.batch.rejected] == rejected


def test_a_call_that_is_too_deep_is_kept_aside_also_among_values_that_are_no_calls() -> None:
    deep = TRACK | {"properties": {"a": json.loads("[" * 45 + "]" * 45)}}

    assert batch(*[7] * 11, deep).reasons == ["not_an_object"] * 11 + ["too_deep"]


@pytest.mark.parametrize("not_a_call", [None, 7, "x", []])
def test_what_is_no_object_is_kept(not_a_call: object) -> None:
    assert batch(not_a_call, TRACK).reasons == ["not_an_object"]


@pytest.mark.parametrize(
    ("path", "event_type"),
    [
        *[(path, "Signed Up") for path in ("track", "t")],
        *[(path, "$identify") for path in ("identify", "i")],
        *[(path, "Viewed Page") for path in ("page", "p")],
        *[(path, "Viewed Screen") for path in ("screen", "s")],
        *[(path, "$groupidentify") for path in ("group", "g")],
    ],
)
def test_a_path_names_its_call(path: str, event_type: str) -> None:
    body = {name: value for name, value in TRACK.items() if name != "type"}
    found = call(f"/segment/v1/{path}", body | {"groupId": "acme"}, basic("k"))
    assert found.status == 200
    assert found.values[-1]["event_type"] == event_type


@pytest.mark.parametrize("path", ["alias", "a"])
def test_an_alias_is_a_dead_letter(path: str) -> None:
    found = call(f"/segment/v1/{path}", {"userId": "u", "previousId": "p"}, basic("k"))
    assert (found.status, found.reasons) == (200, ["alias_not_supported"])


@pytest.mark.parametrize(
    "path",
    [
        *("/segment/v1/batch", "/segment/v1/b", "/segment/v1/import", "/segment/v1/batch/"),
        *("/segment/beacon/v1/batch", "/v1/batch"),
    ],
)
def test_every_path_of_a_batch_is_served(path: str) -> None:
    assert len(call(path, {"batch": [TRACK]}, basic("k")).values) == 1


@pytest.mark.parametrize(
    ("headers", "members", "query"),
    [
        (basic("k"), {}, b""),
        ({b"authorization": b"Basic aw=="}, {}, b""),  # Without the colon.
        ({b"authorization": b"Basic: aw=="}, {}, b""),  # With another one instead.
        ({}, {"writeKey": "k"}, b""),
        ({b"authorization": b"Bearer token"}, {"writeKey": "k"}, b""),
        ({}, {"batch": [TRACK | {"writeKey": "k"}]}, b""),
        ({}, {}, b"writeKey=k"),
    ],
)
def test_every_way_to_give_the_key_is_understood(
    headers: dict[bytes, bytes], members: dict[str, Any], query: bytes
) -> None:
    body = {"batch": [TRACK]} | members
    assert call("/segment/v1/batch", body, headers, query).status == 200


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"batch": []}, 401),
        (basic("other"), {"batch": []}, 401),
        ({b"authorization": b"Basic \xff"}, {"batch": []}, 401),
        (basic("k"), b"{", 400),
        (basic("k"), [], 400),
        (basic("k"), {"batch": {}}, 400),
        (basic("k"), {}, 400),
    ],
)
def test_a_refusal_reads_as_segments(
    headers: dict[bytes, bytes], body: object, status: int
) -> None:
    found = call("/segment/v1/batch", body, headers)
    assert found.status == status
    assert (found.json["success"], type(found.json["code"])) == (False, str)
    assert found.json["message"] == found.json["error"] != ""


def test_a_call_that_is_no_number_costs_no_other_call() -> None:
    """As Python's SDKs write one: `json.dumps` knows these words."""
    good = TRACK | {"properties": {"note": 'of "NaN" or -Infinity'}}
    odd = [TRACK | {"properties": {"n": [float(word)]}} for word in ("nan", "inf", "-inf")]
    found = batch(good, *odd, good)

    assert (found.status, len(found.values)) == (200, 2)
    assert found.reasons == ["number_out_of_range"] * 3
    assert found.values[0]["event_properties"] == good["properties"]
    alone = call("/segment/v1/track", odd[0], basic("k"))
    assert (alone.status, alone.reasons) == (200, ["number_out_of_range"])


@pytest.mark.parametrize("text", ['{"batch":[{}', '{"batch":NaN}', '{"batch":[{NaN:1}]}', "NaN"])
def test_what_is_malformed_without_these_words_too_is_refused(text: str) -> None:
    assert call("/segment/v1/batch", f"{text} ".encode(), basic("k")).status == 400


def test_an_empty_batch_is_a_success() -> None:
    assert batch().json == {"success": True}
