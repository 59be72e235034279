"""What is not stored: records of suppressed users, and personal data."""

import json
from typing import Any

import httpx
import pytest

from tests.unit.gateway.memory import EVENT, KEY, Edge


async def test_the_suppressed_are_rejected_and_nothing_of_theirs_is_kept() -> None:
    edge = Edge(suppressed_user_ids=["forgotten"])
    gone = EVENT | {"user_id": "forgotten"}
    broken = {"user_id": "forgotten", "event_type": 5}
    async with edge.client as client:
        native = await client.post("/v1/events?receipts=1", json=[gone, EVENT, broken], headers=KEY)
        batch = {"api_key": "secret", "events": [EVENT | {"user_id": "user-9"}, gone]}
        amplitude = await client.post("/batch", json=batch)
        update = json.dumps({"user_id": "forgotten", "user_properties": {"a": 1}})
        form = {
            "api_key": "secret",
            "identification": update,
        }
        identify = await client.post("/identify", data=form)
    answer = native.json()
    assert (native.status_code, answer["accepted"]) == (202, 1)
    assert [(r["index"], r["reason"]) for r in answer["rejected"]] == [
        (0, "suppressed"),
        (2, "suppressed"),
    ]
    assert [receipt["index"] for receipt in answer["records"]] == [1]
    assert (amplitude.status_code, amplitude.json()["silenced_events"]) == (400, [1])
    assert identify.status_code == 400
    assert edge.store.values("events") == [EVENT]
    assert list(edge.store.topics) == ["events"]


async def test_who_is_suppressed_by_a_reload_is_rejected_from_then_on() -> None:
    edge, listed = Edge(), Edge(suppressed_user_ids=[EVENT["user_id"]])
    async with edge.client as client:
        before = await client.post("/v1/events", json=EVENT, headers=KEY)
        edge.ingest.apply(listed.config)
        after = await client.post("/v1/events", json=EVENT, headers=KEY)
    assert (before.status_code, after.status_code) == (202, 422)
    assert edge.store.values("events") == [EVENT]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/segment/v1/track", {"userId": "forgotten", "event": "a"}, 200),
        ("/segment/v1/batch", {"batch": [{"type": "nonsense", "userId": "forgotten"}]}, 200),
        ("/aampe/v1/events", {"contact_id": "forgotten", "event_name": "a"}, 422),
        ("/v1/user-properties", {"user_id": "forgotten", "user_properties": {"a": 1}}, 422),
    ],
)
async def test_no_dialect_keeps_a_trace_of_the_suppressed(
    path: str, body: dict[str, Any], status: int
) -> None:
    edge = Edge(suppressed_user_ids=["forgotten"])
    async with edge.client as client:
        auth = httpx.BasicAuth("secret", "") if "segment" in path else httpx.Auth()
        answer = await client.post(path, json=body, headers=KEY, auth=auth)
    assert answer.status_code == status, answer.text
    assert edge.store.topics == {}


async def test_many_records_of_the_suppressed_hide_no_dead_letter() -> None:
    edge = Edge(suppressed_user_ids=["forgotten"])
    events = [EVENT | {"user_id": "forgotten"}] * 1_000 + [{"user_id": "user-2"}]
    async with edge.client as client:
        await client.post("/v1/events", json=events, headers=KEY)
    assert edge.store.values("dead-letters") == [{"user_id": "user-2"}]


async def test_the_followed_are_rejected_by_user_id_and_by_domain() -> None:
    edge = Edge()
    edge.suppress("forgotten", "@shop.example")
    ids: list[dict[str, object]]
    ids = [{"user_id": "forgotten"}, {"user_id": "Ann@Shop.Example"}, {"user_id": "Forgotten"}]
    ids += [{"device_id": "forgotten"}, {"device_id": "a@shop.example", "user_id": None}]
    events = [{"event_type": "a"} | one for one in ids]
    events.append({"event_type": 5, "user_id": "ANN@shop.example"})
    async with edge.client as client:
        native = await client.post("/v1/events", json=events, headers=KEY)
        group = {
            "group_type": "mail",
            "group_value": "a@shop.example",
            "group_properties": {"a": 1},
        }
        groups = await client.post("/v1/group-properties", json=group, headers=KEY)
    rejected = [(one["index"], one["reason"]) for one in native.json()["rejected"]]
    assert rejected == [(0, "suppressed"), (1, "suppressed"), (5, "suppressed")]
    assert groups.status_code == 202
    assert list(edge.store.topics) == ["events", "group-properties"]
    stored = [one.get("user_id") or one["device_id"] for one in edge.store.values("events")]
    assert stored == ["Forgotten", "forgotten", "a@shop.example"]


async def test_before_the_suppressions_are_read_nothing_is_stored() -> None:
    edge = Edge()
    edge.suppressions.is_known = False
    async with edge.client as client:
        answer = await client.post("/v1/events", json=EVENT, headers=KEY)
        ready = await client.get("/readyz")
        edge.suppressions.is_forbidden = True
        forbidden = await client.get("/readyz")
    assert (answer.status_code, ready.status_code, forbidden.status_code) == (503, 503, 503)
    assert "retry-after" in answer.headers
    assert forbidden.json() == {"status": "suppressions may not be read"}
    assert edge.store.topics == {}


async def test_personal_data_is_scrubbed_from_records_and_dead_letters() -> None:
    scrub = [{"field": "event_properties.phone"}]
    edge = Edge({"name": "eu", "write_key": "eu", "scrub": [{"pattern": "@"}]}, scrub=scrub)
    event = EVENT | {"event_properties": {"phone": "1", "mail": "a@b"}}
    bad = {"event_properties": {"phone": "1", "mail": "a@b"}}
    async with edge.client as client:
        for key in ("secret", "eu"):
            headers = {"authorization": f"Bearer {key}"}
            await client.post("/v1/events", json=[event, bad], headers=headers)
    scrubbed = [
        {"phone": "[scrubbed]", "mail": "a@b"},
        {"phone": "[scrubbed]", "mail": "a[scrubbed]b"},
    ]
    for topic in ("events", "dead-letters"):
        assert [value["event_properties"] for value in edge.store.values(topic)] == scrubbed


SECRETS = {"email": "SECRET", "to": [{"email": "SECRET"}], "n": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events", {"event_properties": SECRETS, "user_properties": {"$set": SECRETS}}),
        (
            "/segment/v1/batch",
            {
                "batch": [
                    {"type": "x", "properties": SECRETS, "traits": SECRETS},
                    {"type": "x", "context": {"traits": SECRETS, "location": {"city": "SECRET"}}},
                ]
            },
        ),
        (
            "/webhooks/amplemarket/secret",
            {"email": "SECRET", "dynamic_fields": SECRETS, "lead": SECRETS},
        ),
    ],
)
async def test_a_field_is_scrubbed_from_dead_letters_under_the_names_that_were_sent(
    path: str, body: dict[str, Any]
) -> None:
    names = ("email", "to.email")
    fields = [f"{of}_properties.{name}" for of in ("event", "user") for name in names]
    edge = Edge(scrub=[{"field": field} for field in (*fields, "city")])
    async with edge.client as client:
        auth = httpx.BasicAuth("secret", "") if "segment" in path else httpx.Auth()
        await client.post(path, json=body, headers=KEY, auth=auth)
    letters = json.dumps(edge.store.values("dead-letters"))
    assert "SECRET" not in letters
    assert '"n": 1' in letters


DEVICE = {"advertisingId": "SECRET", "idfa": "SECRET"}
LEGACY = {"androidADID": "SECRET", "ios_idfv": "SECRET", "location": {"lat": "SECRET"}}


@pytest.mark.parametrize(
    ("path", "record", "fields"),
    [
        ("/segment/v1/batch", {"traits": {"email": "SECRET"}}, ["group_properties.email"]),
        (
            "/segment/v1/batch",
            {"properties": {"products": [{"coupon": "SECRET"}]}},
            ["event_properties.coupon"],
        ),
        ("/segment/v1/batch", {"context": {"device": DEVICE}}, ["idfa"]),
        ("/segment/v1/batch", {"context": {"device": DEVICE}}, ["adid"]),
        (
            "/",
            {"api_properties": LEGACY, "version_name": "SECRET"},
            ["adid", "idfv", "location_lat", "app_version"],
        ),
    ],
)
async def test_a_field_that_has_another_name_where_it_comes_from_is_scrubbed_in_dead_letters(
    path: str, record: dict[str, Any], fields: list[str]
) -> None:
    edge = Edge(scrub=[{"field": field} for field in fields])
    body = {"client": "secret", "writeKey": "secret", "batch": [record], "e": [record]}
    async with edge.client as client:
        assert (await client.post(path, content=json.dumps(body))).status_code == 200
    [letter] = edge.store.values("dead-letters")
    assert "SECRET" not in json.dumps(letter)


@pytest.mark.parametrize("policy", ["keep", "truncate", "drop"])
@pytest.mark.parametrize("ids", [{}, {"insert_id": "i", "time": 1}])
async def test_an_update_keeps_no_address_that_its_source_may_not_keep(
    policy: str, ids: dict[str, Any]
) -> None:
    edge = Edge({"name": "eu", "write_key": "eu", "ip": policy})
    update = {"user_id": "user-1", "ip": "203.0.113.7", "user_properties": {"ip": 1}} | ids
    group = {"group_type": "a", "group_value": "b", "ip": "203.0.113.7", "group_properties": {}}
    async with edge.client as client:
        for kind, body in (("user", update), ("group", group | ids)):
            url = f"/v1/{kind}-properties?write_key=eu"
            assert (await client.post(url, json=body)).status_code == 202
    stored = edge.store.values("user-properties") + edge.store.values("group-properties")
    kept = "203.0.113.7" if policy == "keep" else None
    assert [one.get("ip") for one in stored] == [kept, kept]
    assert stored[0]["user_properties"] == {"ip": 1}
