"""Segment's dialect: what its SDKs rely on, and what becomes of each call."""

import json
from typing import Any

import pytest

from tests.unit.gateway.calls import NOW_MS, Reply, basic, call

TRACK = {
    "type": "track",
    "event": "Signed Up",
    "userId": "u",
    "anonymousId": "a",
    "messageId": "m",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "properties": {"plan": "pro"},
}
TIME = 1_767_225_600_000
NOW = "2027-01-15T08:00:00.000Z"


def one(**members: Any) -> dict[str, Any]:  # noqa: ANN401
    """The event that a track call with these members becomes."""
    (value,) = batch(TRACK | members).values
    return value


def batch(*calls: Any, **shared: Any) -> Reply:  # noqa: ANN401
    return call("/segment/v1/batch", {"batch": list(calls), **shared}, basic("k"))


def test_a_track_call_is_an_event() -> None:
    assert one() == {
        "event_type": "Signed Up",
        "user_id": "u",
        "device_id": "a",
        "insert_id": "m",
        "time": TIME,
        "event_properties": {"plan": "pro"},
        "library": "segment",
        "ip": "9.9.9.9",
    }


def test_the_context_becomes_amplitudes_fields() -> None:
    context = {
        "app": {"name": "Shop", "version": "1.2"},
        "os": {"name": "iOS", "version": 17},
        "device": {"id": "d", "type": "IOS", "manufacturer": "Apple", "model": "iPhone"}
        | {"brand": "Apple", "advertisingId": "ad"},
        "network": {"carrier": "T-Mobile"},
        "location": {"country": "Germany", "region": "BE", "city": "Berlin"}
        | {"latitude": 52.5, "longitude": 13.4},
        "locale": "de-DE",
        "ip": "1.2.3.4",
        "userAgent": "Mozilla",
    }
    expected = {
        "app_version": "1.2",
        "os_name": "iOS",
        "os_version": "17",
        "platform": "iOS",
        "device_id": "d",
        "device_brand": "Apple",
        "device_manufacturer": "Apple",
        "device_model": "iPhone",
        "idfv": "d",
        "idfa": "ad",
        "adid": "ad",
        "carrier": "T-Mobile",
        "country": "Germany",
        "region": "BE",
        "city": "Berlin",
        "language": "de-DE",
        "location_lat": 52.5,
        "location_lng": 13.4,
        "ip": "1.2.3.4",
        "user_agent": "Mozilla",
    }
    found = one(context=context)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("sent_at", "expected"),
    [
        (NOW, TIME),
        ("2027-01-15T07:59:55.000Z", TIME),
        ("2027-01-15T07:00:00.000Z", TIME + 3_600_000),
        ("2027-01-15T09:00:00.000Z", TIME - 3_600_000),
        ("1970-01-01T00:00:00.000Z", TIME),
        ("whenever", TIME),
        (None, TIME),
    ],
)
def test_a_senders_wrong_clock_is_set_right(sent_at: str | None, expected: int) -> None:
    assert one(sentAt=sent_at)["time"] == expected
    (shared,) = batch(TRACK, sentAt=sent_at).values
    assert shared["time"] == expected


def test_without_a_timestamp_it_happened_now() -> None:
    assert one(timestamp=None)["time"] == NOW_MS


@pytest.mark.parametrize(
    ("given", "user_id"), [(7, "7"), (12345678901234567890123, "12345678901234567890123")]
)
def test_numbers_are_ids_too(given: object, user_id: str) -> None:
    assert one(userId=given)["user_id"] == user_id


@pytest.mark.parametrize("absent", [None, ""])
def test_an_empty_id_is_none(absent: str | None) -> None:
    found = batch(TRACK | {"userId": absent})
    assert found.keys == [b"a"]
    assert "user_id" not in found.values[0]


@pytest.mark.parametrize("placeholder", ["00000000-0000-0000-0000-000000000000", "unknown", ""])
def test_a_device_id_that_many_share_gives_way(placeholder: str) -> None:
    assert one(context={"device": {"id": placeholder}})["device_id"] == "a"


def test_without_a_message_id_each_event_has_its_own() -> None:
    first, second = batch(*[TRACK | {"messageId": None}] * 2).values
    assert first["insert_id"] != second["insert_id"]


@pytest.mark.parametrize(
    "members",
    [
        {"integrations": {"Actions Amplitude": {"session_id": "1767225600000"}}},
        {"integrations": {"Actions Amplitude": {"session_id": 1767225600000}}},
        {"integrations": {"Actions Amplitude": {"session_id": "2026-01-01T00:00:00Z"}}},
        {"context": {"sessionId": 1767225600000}},
    ],
)
def test_a_session_is_kept(members: dict[str, Any]) -> None:
    assert one(**members)["session_id"] == 1767225600000


def test_what_a_batch_says_for_all_holds_where_a_call_says_nothing() -> None:
    german = TRACK | {"context": {"locale": "de-DE"}}
    shared = {"locale": "en-US", "app": {"version": "3"}}
    values = batch(TRACK, german, context=shared).values
    assert [value["language"] for value in values] == ["en-US", "de-DE"]
    assert [value["app_version"] for value in values] == ["3", "3"]


def test_campaigns_are_kept_as_first_and_last_touch() -> None:
    context = {"campaign": {"source": "news", "name": "tps"}, "page": {"referrer": "r"}}
    last = {"utm_source": "news", "utm_campaign": "tps", "referrer": "r"}
    first = {f"initial_{name}": words for name, words in last.items()}
    found = one(context=context, traits={"a": 1})["user_properties"]
    assert found == {"$set": {"a": 1} | last, "$setOnce": first}
    assert one(traits={"a": 1})["user_properties"] == {"a": 1}


def test_identify_sets_the_traits_in_order_with_the_events() -> None:
    identify = {"type": "identify", "userId": "u", "messageId": "i", "traits": {"plan": "pro"}}
    found = batch(TRACK, identify, TRACK | {"messageId": "n"})
    assert [value["event_type"] for value in found.values] == [
        "Signed Up",
        "$identify",
        "Signed Up",
    ]
    assert found.keys == [b"u"] * 3
    assert found.values[1]["user_properties"] == {"$set": {"plan": "pro"}}
    assert found.values[1]["insert_id"] == "i"


def test_traits_may_be_in_the_context() -> None:
    call_ = {"type": "identify", "userId": "u", "context": {"traits": {"plan": "pro"}}}
    assert batch(call_).values[0]["user_properties"] == {"$set": {"plan": "pro"}}


def test_group_names_the_users_group_then_the_groups_traits() -> None:
    group = {"type": "group", "userId": "u", "groupId": 7, "messageId": "g", "traits": {"n": 1}}
    found = batch(group)
    user, company = found.values
    assert found.keys == [b"u", b"u"]
    assert (user["event_type"], company["event_type"]) == ("$identify", "$groupidentify")
    assert user["groups"] == company["groups"] == {"group": "7"}
    assert user["user_properties"] == {"$set": {"group": "7"}}
    assert company["group_properties"] == {"$set": {"n": 1}}
    assert (user["insert_id"], company["insert_id"]) == ("g", "g-1")


def test_a_group_without_a_user_is_kept_under_its_own_key() -> None:
    found = batch({"type": "group", "groupId": "acme", "traits": {"n": 1}})
    assert found.keys == [b"group:acme"]
    assert found.values[0]["event_type"] == "$groupidentify"


@pytest.mark.parametrize(
    ("members", "event_type", "properties"),
    [
        ({"type": "page", "name": "Home"}, "Viewed Home Page", {"name": "Home"}),
        ({"type": "screen", "name": "Cart"}, "Viewed Cart Screen", {"name": "Cart"}),
        ({"type": "page", "category": "Docs"}, "Viewed Docs Page", {"category": "Docs"}),
        ({"type": "page", "properties": {"name": "X"}}, "Viewed X Page", {"name": "X"}),
        ({"type": "page", "properties": {"url": "/"}}, "Viewed Page", {"url": "/"}),
        ({"type": "page"}, "Viewed Page", None),
    ],
)
def test_pages_and_screens_are_views(
    members: dict[str, Any], event_type: str, properties: dict[str, Any] | None
) -> None:
    (value,) = batch({"userId": "u"} | members).values
    assert value["event_type"] == event_type
    assert value.get("event_properties") == properties


def test_an_order_is_revenue_and_each_product_an_event() -> None:
    products = [{"productId": "p", "price": 5, "quantity": 2}, {"productId": "q"}, 7]
    properties = {"revenue": 12.5, "products": products}
    found = batch(TRACK | {"event": "Order Completed", "properties": properties}).values
    assert [value["event_type"] for value in found[1:]] == ["Product Purchased"] * 2
    assert [value["insert_id"] for value in found] == ["m", "m-1", "m-2"]
    assert (found[0]["revenue"], found[0]["revenueType"]) == (12.5, "Purchase")
    assert found[0]["event_properties"] == properties
    assert [value["event_properties"] for value in found[1:]] == products[:2]
    assert "revenue" not in found[1]


def test_price_times_quantity_is_the_revenue() -> None:
    properties = {"price": 2.5, "quantity": 4, "revenue": 1, "product_id": "p"}
    value = one(event="Order Completed", properties=properties)
    assert (value["revenue"], value["price"], value["quantity"]) == (10.0, 2.5, 4)
    assert value["productId"] == "p"


def test_a_product_looked_at_is_no_revenue() -> None:
    value = one(event="Product Added", properties={"price": 2.5, "quantity": 4, "revenue": 10})
    assert not {"revenue", "price", "quantity"} & value.keys()


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
        ({"properties": []}, "invalid_type"),
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
def test_every_path_of_a_batch(path: str) -> None:
    assert len(call(path, {"batch": [TRACK]}, basic("k")).values) == 1


@pytest.mark.parametrize(
    ("headers", "members", "query"),
    [
        (basic("k"), {}, b""),
        ({b"authorization": b"Basic aw=="}, {}, b""),  # Without the colon.
        ({}, {"writeKey": "k"}, b""),
        ({b"authorization": b"Bearer token"}, {"writeKey": "k"}, b""),
        ({}, {"batch": [TRACK | {"writeKey": "k"}]}, b""),
        ({}, {}, b"writeKey=k"),
    ],
)
def test_every_way_to_give_the_key(
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
    assert found.json["message"]


def test_an_empty_batch_is_a_success() -> None:
    assert batch().json == {"success": True}
