"""What is answered, and what is then stored; over a store in memory."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from gateway.dialects import ENDPOINTS
from gateway.dialects.shapes import RECORDS_MAX
from tests.unit.gateway.memory import EVENT, KEY, Edge

AMPLITUDE = {"api_key": "secret", "events": [EVENT, EVENT | {"user_id": "user-2"}]}


async def test_an_unknown_path_and_a_wrong_method_are_answered_as_json() -> None:
    async with Edge().client as client:
        for method, path, status in (
            ("POST", "/2/nothing", 404),
            ("GET", "/nothing", 404),
            ("GET", "/", 405),
            ("GET", "/batch", 405),
            ("PUT", "/v1/events", 405),
            ("POST", "/healthz", 405),
        ):
            answer = await client.request(method, path)
            assert answer.status_code == answer.json()["code"] == status
            assert isinstance(answer.json()["error"], str)
        assert (await client.head("/v1/events")).status_code == 405


@pytest.mark.parametrize(
    ("path", "methods"), [("/identify", "POST, GET, OPTIONS"), ("/batch", "POST, OPTIONS")]
)
async def test_a_path_names_the_methods_it_allows(path: str, methods: str) -> None:
    async with Edge().client as client:
        for method in ("PUT", "OPTIONS"):
            assert (await client.request(method, path)).headers["allow"] == methods
        assert (await client.head("/healthz")).status_code == 200


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_every_path_tolerates_a_prefix_slashes_and_a_query(path: str) -> None:
    edge = Edge(path_prefix="/collect")
    # As of an SDK whose host was given with a slash at its end.
    doubled = f"/collect/{path}", f"//collect{path}", f"//collect/{path}"
    async with edge.client as client:
        for variant in (f"/collect{path}", f"/collect{path}/?a=1", f"{path}/", *doubled):
            answer = await client.post(variant, content=b"{}")
            assert answer.status_code not in (404, 405)
        assert (await client.get("/collect/healthz")).status_code == 200
        assert (await client.get("/collection/healthz")).status_code == 404
        described = (await client.get("/collect/openapi.json")).json()
        assert described["servers"] == [{"url": "/collect"}]


LONG = b'{"event_type":"%b"}' % (b"x" * 100)  # Not many values for its size.


@pytest.mark.parametrize(
    ("path", "headers", "record", "head", "separator", "tail"),
    [
        ("/v1/events", KEY, b"1", b"[", b",", b"]"),
        ("/v1/events", KEY, b"1", b"1", b"\n", b""),
        ("/batch", {}, LONG, b'{"api_key":"secret","events":[', b",", b"]}"),
        ("/segment/v1/batch", {}, LONG, b'{"writeKey":"secret","batch":[', b",", b"]}"),
    ],
)
async def test_more_records_than_an_edge_can_hold_are_refused_together(
    path: str, headers: dict[str, str], record: bytes, head: bytes, separator: bytes, tail: bytes
) -> None:
    edge = Edge()
    lines = {"content-type": "application/x-ndjson"} if separator == b"\n" else {}
    body = head + separator.join([record] * (RECORDS_MAX + 1)) + tail
    async with edge.client as client:
        answer = await client.post(path, content=body, headers=headers | lines)
    assert answer.status_code == 413
    assert str(RECORDS_MAX) in answer.text
    assert edge.store.topics == {}


@pytest.mark.parametrize(("trace", "carried"), [("00-1-2-01", True), ("0" * 129, False)])
async def test_a_trace_is_carried_unless_it_would_weigh_on_every_record(
    trace: str, *, carried: bool
) -> None:
    edge = Edge()
    async with edge.client as client:
        answer = await client.post("/v1/events", json=EVENT, headers=KEY | {"traceparent": trace})
    assert answer.status_code == 202
    (record,) = edge.store.topics["events"]
    assert (dict(record.headers).get("traceparent") == trace.encode()) is carried


async def test_over_the_rate_amplitude_names_every_event() -> None:
    edge = Edge({"name": "slow", "write_key": "slow", "events_per_second": 0.05})
    async with edge.client as client:
        first = await client.post("/batch", json=AMPLITUDE | {"api_key": "slow"})
        again = await client.post("/2/httpapi", json=AMPLITUDE | {"api_key": "slow"})
        native = await client.post(
            "/v1/events", json=EVENT, headers={"authorization": "Bearer slow"}
        )
    assert first.status_code == 200
    assert again.status_code == again.json()["code"] == 429
    assert again.json()["throttled_events"] == [0, 1]
    assert again.json()["eps_threshold"] == 1
    assert native.status_code == 429
    for refused in (again, native):  # Two events in debt, and one to come.
        assert 20 < int(refused.headers["retry-after"]) <= 40
    assert len(edge.store.topics["events"]) == 2


async def test_what_is_rejected_counts_in_every_dialect() -> None:
    edge = Edge(suppressed_user_ids=["forgotten"])
    bad, gone = {"event_type": "a"}, EVENT | {"user_id": "forgotten"}
    short = EVENT | {"user_id": "u", "device_id": "d"}  # Twice wrong, and one event.
    async with edge.client as client:
        await client.post("/v1/events", json=[EVENT, bad, gone], headers=KEY)
        for events in ([EVENT, bad, short], [gone, EVENT]):
            await client.post("/2/httpapi", json={"api_key": "secret", "events": events})
        await client.post("/segment/v1/track", json={"writeKey": "secret", "event": "a"})
        await client.post("/aampe/v1/events", json={"contact_id": "u"}, headers=KEY)
        metrics = (await client.get("/metrics")).text
    counted = 'ampgate_edge_records_total{kind="event",outcome="%s",source="shop"} %d.0\n'
    assert counted % ("accepted", 1) in metrics
    assert counted % ("rejected", 2 + 2 + 1 + 1 + 1) in metrics


async def test_a_source_has_its_own_limits() -> None:
    edge = Edge(
        {"name": "small", "write_key": "small", "max_batch_records": 2, "max_body_bytes": 300}
    )
    small = {"authorization": "Bearer small"}
    async with edge.client as client:
        for body, status in (
            ([{}] * 2, 422),
            ([{}] * 3, 413),
            ([EVENT | {"x": "y" * 300}], 413),
        ):
            assert (await client.post("/v1/events", json=body, headers=small)).status_code == status
        assert (await client.post("/v1/events", json=[EVENT] * 9, headers=KEY)).status_code == 202


async def test_the_budget_covers_requests_until_they_are_answered() -> None:
    edge = Edge(max_inflight_bytes=1_000)
    edge.store.open.clear()
    body = json.dumps(EVENT | {"x": "y" * 600})
    async with edge.client as client, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(client.post("/v1/events", content=body, headers=KEY))
        await edge.store.asked.wait()
        refused = await client.post("/v1/events", content=body, headers=KEY)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert f"ampgate_edge_inflight_bytes {len(body)}.0" in (await client.get("/metrics")).text
        edge.store.open.set()
        assert (await waiting).status_code == 202
        assert edge.ingest.budget.used == 0
        assert (await client.post("/v1/events", content=body, headers=KEY)).status_code == 202


async def test_the_budget_counts_what_was_unpacked() -> None:
    edge = Edge(max_inflight_bytes=5_000)
    edge.store.open.clear()
    packed = gzip.compress(json.dumps(EVENT | {"x": "y" * 3_000}).encode())
    headers = KEY | {"content-encoding": "gzip"}
    async with edge.client as client, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(client.post("/v1/events", content=packed, headers=headers))
        await edge.store.asked.wait()
        refused = await client.post("/v1/events", content=packed, headers=headers)
        assert refused.status_code == 503
        edge.store.open.set()
        assert (await waiting).status_code == 202
    assert edge.ingest.budget.used == 0


async def test_a_beacon_names_its_key_in_the_query() -> None:
    edge = Edge()
    async with edge.client as client:
        for key, status in (("wrong", 401), ("secret", 202)):
            url = f"/v1/events?write_key={key}"
            text = {"content-type": "text/plain"}
            answer = await client.post(url, content=json.dumps(EVENT), headers=text)
            assert answer.status_code == status
    assert edge.store.values("events") == [EVENT]


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/events", 202), ("/segment/v1/track", 401), ("/identify", 400)]
)
async def test_a_query_that_is_no_text_is_passed_over(path: str, status: int) -> None:
    # Below httpx, which would escape it.
    scope = {"method": "POST", "path": path, "query_string": b"\x80=\xff&receipts=1"}
    headers = [(b"authorization", b"Bearer secret")]
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(EVENT).encode()}

    async def send(message: Any) -> None:  # noqa: ANN401
        answers.append(message)

    edge = Edge()
    more = {"type": "http", "headers": headers, "client": ("127.0.0.1", 1)}
    await edge.app(scope | more, receive, send)
    assert answers[0]["status"] == status
    assert status != 202 or "records" in json.loads(answers[1]["body"])


async def test_a_key_in_the_path_is_found_behind_a_prefix() -> None:
    edge = Edge(path_prefix="/collect")
    async with edge.client as client:
        for prefix in ("", "/collect"):
            wrong = await client.post(f"{prefix}/webhooks/amplemarket/wrong", json={})
            right = await client.post(f"{prefix}/webhooks/amplemarket/secret", json={})
            assert (wrong.status_code, right.status_code) != (401, 401)
            assert wrong.status_code == 401


async def test_a_path_prefix_alone_is_the_root() -> None:
    """Older SDKs of Amplitude post to the address that they are given, and to nothing below it."""
    edge = Edge(path_prefix="/collect")
    async with edge.client as client:
        for path, status in (("/collect", 200), ("/collect/", 200), ("/collected", 404)):
            answer = await client.post(path, data={"client": "secret", "e": "[]"})
            assert answer.status_code == status


async def test_the_key_is_that_of_the_member_that_counts() -> None:
    edge = Edge()
    twice = (
        b'{"event_type":"a","user_id":"first","user_id":"second","insert_id":"x","insert_id":null}'
    )
    async with edge.client as client:
        for path, body in (
            ("/v1/events", twice),
            ("/batch", b'{"api_key":"secret","events":[%b]}' % twice),
        ):
            answer = await client.post(path, content=body, headers=KEY)
            assert answer.is_success, answer.text
    for record in edge.store.topics["events"]:
        read = json.loads(record.value)
        assert (record.key, read["user_id"]) == (b"second", "second")
        assert isinstance(read["insert_id"], str)
