"""A source with a tracking plan: what violates it fails no request, and is counted."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.configuration.config import ConfigError
from tests.unit.gateway.memory import EVENT, KEY, Edge

PLAN = {
    "events": {"a": {"properties": {"n": {"type": "integer"}}, "additionalProperties": False}},
    "user_properties": {"properties": {"plan": {"type": "string"}}},
}
WRONG = EVENT | {"event_properties": {"n": "1"}, "user_id": "user-2"}
UNKNOWN = EVENT | {"event_type": "b", "user_id": "user-3"}


def edge(tmp_path: Path, mode: str, plan: object = PLAN) -> Edge:
    (file := tmp_path / "plan.json").write_text(json.dumps(plan))
    source = {"name": "held", "write_key": "held-key", "plan": str(file), "plan_mode": mode}
    return Edge(source)


async def post(edge: Edge, path: str, body: object, **headers: str) -> Any:  # noqa: ANN401  JSON.
    given = {"authorization": "Bearer held-key", **headers}
    content = body if isinstance(body, str) else json.dumps(body)
    async with edge.client as client:
        answer = await client.post(path, content=content, headers=given)
    assert answer.status_code in (200, 202), answer.text
    return answer.json() if answer.text.startswith("{") else answer.text


def letters(edge: Edge) -> list[tuple[str, str]]:
    found = []
    for letter in edge.store.topics.get("dead-letters", []):
        headers = {name: (value or b"").decode() for name, value in letter.headers}
        assert (headers["destination"], headers["source"]) == ("edge", "held")
        found.append((headers["reason"], headers["detail"]))
    return found


async def counted(edge: Edge) -> list[str]:
    async with edge.client as client:
        text = (await client.get("/metrics")).text
    return sorted(
        line.removeprefix("ampgate_plan_violations_total")
        for line in text.splitlines()
        if line.startswith("ampgate_plan_violations_total")
    )


COUNTS = [
    '{event_type_known="false",reason="not_in_plan",source="held"} 1.0',
    '{event_type_known="true",reason="violates_plan",source="held"} 1.0',
]
REASONS = [
    ("violates_plan", 'event_properties.n is not of type "integer"'),
    ("not_in_plan", "the plan has no such event_type"),
]


async def test_in_block_the_native_answer_lists_what_the_plan_refuses(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    answer = await post(held, "/v1/events?receipts=1", [WRONG, EVENT, UNKNOWN])
    assert answer["accepted"] == 1
    assert [(one["index"], one["reason"], one["field"]) for one in answer["rejected"]] == [
        (0, "violates_plan", "event_properties.n"),
        (2, "not_in_plan", "event_type"),
    ]
    assert answer["records"] == [{"index": 1, "insert_id": "i"}]
    assert held.store.values("events") == [EVENT]
    assert (letters(held), await counted(held)) == (REASONS, COUNTS)


async def test_a_request_of_which_the_plan_refuses_all_does_not_fail(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    answer = await post(held, "/v1/events", UNKNOWN)
    assert (answer["accepted"], len(answer["rejected"])) == (0, 1)


async def test_in_warn_all_is_stored_and_counted(tmp_path: Path) -> None:
    held = edge(tmp_path, "warn")
    answer = await post(held, "/v1/events", [WRONG, EVENT, UNKNOWN])
    assert answer == {"accepted": 3, "rejected": []}
    assert held.store.values("events") == [WRONG, EVENT, UNKNOWN]
    assert (letters(held), await counted(held)) == ([], COUNTS)


@pytest.mark.parametrize("mode", ["off", "warn", "block"])
async def test_another_source_is_not_held_to_it(tmp_path: Path, mode: str) -> None:
    held = edge(tmp_path, mode)
    async with held.client as client:
        answer = await client.post("/v1/events", json=UNKNOWN, headers=KEY)
    assert answer.json() == {"accepted": 1, "rejected": []}
    assert await counted(held) == []


async def test_amplitude_sdks_do_not_notice(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    body = {"api_key": "held-key", "events": [WRONG, EVENT, UNKNOWN]}
    answer = await post(held, "/2/httpapi", body)
    assert (answer["code"], answer["events_ingested"]) == (200, 3)
    assert held.store.values("events") == [EVENT]
    assert letters(held) == REASONS
    # A letter has all that its record has: a replay needs no more.
    letter = held.store.topics["dead-letters"][0]
    assert (letter.key, json.loads(letter.value)) == (b"user-2", WRONG)


async def test_amplitude_forms_do_not_notice(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    updates = [
        {"user_id": "user-1", "user_properties": {"$set": {"plan": 5}}},
        {"user_id": "user-2", "user_properties": {"$set": {"plan": "pro"}}},
    ]
    form = urlencode({"api_key": "held-key", "identification": json.dumps(updates)})
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert await post(held, "/identify", form, **kind) == "success"
    (stored,) = held.store.values("user-properties")
    assert stored["user_id"] == "user-2"
    words = 'user_properties.$set.plan is not of type "string"'
    assert letters(held) == [("violates_plan", words)]


async def test_an_update_that_has_an_events_members_is_stored(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    update = {"user_id": "user-1", "event_type": None, "user_properties": {"plan": "pro"}}
    answer = await post(held, "/v1/user-properties", update)
    assert (answer["accepted"], letters(held)) == (1, [])


async def test_segment_sdks_do_not_notice(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    calls = [
        {"type": "track", "event": "a", "userId": "user-1", "properties": {"n": 1}},
        {"type": "track", "event": "b", "userId": "user-1"},
        {"type": "identify", "userId": "user-1", "traits": {"plan": 5}},
    ]
    basic = f"Basic {b64encode(b'held-key:').decode()}"
    answer = await post(held, "/segment/v1/batch", {"batch": calls}, authorization=basic)
    assert answer == {"success": True}
    assert [one["event_type"] for one in held.store.values("events")] == ["a"]
    assert [reason for reason, _ in letters(held)] == ["not_in_plan", "violates_plan"]


async def test_aampe_clients_do_not_notice(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    event = {"contact_id": "user-1", "event_name": "b", "timestamp": 1}
    await post(held, "/aampe/v1/events", event)
    assert [reason for reason, _ in letters(held)] == ["not_in_plan"]


async def test_countless_violations_are_all_kept(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    body = {"api_key": "held-key", "events": [UNKNOWN] * 5_000}
    await post(held, "/batch", body)
    assert len(letters(held)) == 5_000


async def test_a_changed_plan_applies_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    held = edge(tmp_path, "block")
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"events": {"b": {}}}))
    held.ingest.apply(held.config)
    await post(held, "/v1/events", [EVENT, UNKNOWN])
    assert held.store.values("events") == [UNKNOWN]

    file.write_text(json.dumps({"events": {"b": {"typ": 1}}}))
    with pytest.raises(ConfigError, match=r"source held: plan .*: events\.b\.typ: JSON Schema has"):
        held.ingest.apply(held.config)
    answer = await post(held, "/v1/events", UNKNOWN)
    assert answer["accepted"] == 1
