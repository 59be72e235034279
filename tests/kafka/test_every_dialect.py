"""What holds for every dialect alike, over HTTP and with a real Kafka behind it."""

import gzip
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway.dialects import ENDPOINTS
from tests.conftest import Broker
from tests.kafka.dialect_contracts import CONTRACTS, Contract
from tests.kafka.dialect_requests import Sent, insert_id
from tests.kafka.edge_process import create_topics
from tests.kafka.test_edge import config, serving, stored

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVERY = pytest.mark.parametrize("contract", CONTRACTS, ids=[one.name for one in CONTRACTS])
PREFIX = f"dialects-{uuid.uuid4().hex[:12]}."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(kafka: Broker) -> AsyncIterator[httpx.AsyncClient]:
    """One edge for all tests here; each has a user of its own."""
    settings = config(kafka.bootstrap_servers, PREFIX)
    await create_topics(kafka.bootstrap_servers, PREFIX)
    async with serving(settings) as client:
        yield client


@pytest.fixture
def user() -> str:
    return f"{uuid.uuid4().hex[:12]}@lead.test"


async def post(edge: httpx.AsyncClient, sent: Sent, **headers: str) -> httpx.Response:
    encoded = {name.replace("_", "-"): value for name, value in headers.items()}
    return await edge.post(sent.path, content=sent.body, headers=sent.headers | encoded)


async def values_of(kafka: Broker, contract: Contract, user: str) -> list[Any]:
    """The user's records in the order of their topic; all under one key."""
    records = await stored(kafka, f"{PREFIX}{contract.topic}")
    key = f"org:{user}" if contract.topic == "group-properties" else user
    return [json.loads(record.value) for record in records if record.key == key.encode()]


async def test_every_dialect_is_in_the_table() -> None:
    paths = {contract.send("k", "u", ["n"]).path for contract in CONTRACTS}
    covered = {ENDPOINTS[path].dialect for path in paths if path in ENDPOINTS} | {"webhooks"}
    assert covered == {endpoint.dialect for endpoint in ENDPOINTS.values()}


@EVERY
async def test_a_right_key_is_accepted(
    edge: httpx.AsyncClient, kafka: Broker, user: str, contract: Contract
) -> None:
    answer = await post(edge, contract.send("secret", user, ["first"]))
    assert answer.status_code == contract.success, answer.text
    assert contract.reads_success(answer.content, 1)
    (value,) = await values_of(kafka, contract, user)
    assert contract.stored_name(value) == "first"


@EVERY
async def test_a_wrong_key_is_refused(
    edge: httpx.AsyncClient, kafka: Broker, user: str, contract: Contract
) -> None:
    answer = await post(edge, contract.send("wrong", user, ["first"]))
    assert answer.status_code == contract.unknown_key
    assert contract.reads_refusal(answer.content, contract.unknown_key)
    assert await values_of(kafka, contract, user) == []


@EVERY
async def test_a_packed_body_is_accepted(
    edge: httpx.AsyncClient, kafka: Broker, user: str, contract: Contract
) -> None:
    sent = contract.send("secret", user, ["first"])
    packed = Sent(f"{sent.path}/", gzip.compress(sent.body), sent.headers)
    answer = await post(edge, packed, content_encoding="gzip")
    assert answer.status_code == contract.success, answer.text
    assert len(await values_of(kafka, contract, user)) == 1


@EVERY
async def test_malformed_json_is_refused(edge: httpx.AsyncClient, contract: Contract) -> None:
    body = b"api_key=secret&identification={" if "identify" in contract.name else b'{"a":'
    answer = await post(edge, contract.with_body(body))
    assert answer.status_code == 400, answer.text
    assert contract.reads_refusal(answer.content, 400)


@EVERY
@pytest.mark.parametrize("packed", [False, True])
async def test_too_large_a_body_is_refused(
    edge: httpx.AsyncClient, contract: Contract, *, packed: bool
) -> None:
    body = b" " * 10_001
    encoding = "gzip" if packed else "identity"
    sent = contract.with_body(gzip.compress(body) if packed else body)
    answer = await post(edge, sent, content_encoding=encoding)
    assert answer.status_code == 413
    assert contract.reads_refusal(answer.content, 413)


@EVERY
async def test_order_is_kept(
    edge: httpx.AsyncClient, kafka: Broker, user: str, contract: Contract
) -> None:
    names = [f"n{number:02}" for number in range(30)]
    for some in [names] if contract.takes_many else [[name] for name in names]:
        answer = await post(edge, contract.send("secret", user, some))
        assert contract.reads_success(answer.content, len(some)), answer.text
    values = await values_of(kafka, contract, user)
    assert [contract.stored_name(value) for value in values] == names


@EVERY
async def test_sent_again_it_keeps_its_insert_id(
    edge: httpx.AsyncClient, kafka: Broker, user: str, contract: Contract
) -> None:
    for _ in range(2):
        await post(edge, contract.send("secret", user, ["first"]))
    first, second = await values_of(kafka, contract, user)
    assert first["insert_id"] == second["insert_id"]
    if contract.name != "amplemarket":  # It has no such field of its own.
        assert first["insert_id"] == insert_id(user, "first")


@EVERY
async def test_over_the_rate_the_answer_says_when_to_retry(
    edge: httpx.AsyncClient, user: str, contract: Contract
) -> None:
    many = [{"event_type": "e", "user_id": user}] * 90  # A minute and a half of the rate.
    await edge.post("/v1/events", json=many, headers={"authorization": "Bearer slow"})
    answer = await post(edge, contract.send("slow", user, ["first"]))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert contract.reads_refusal(answer.content, 429)


@EVERY
async def test_a_browser_of_the_source_may_send(
    edge: httpx.AsyncClient, user: str, contract: Contract
) -> None:
    sent, shop = contract.send("secret", user, ["first"]), "https://shop.example"
    headers = ("authorization", "content-type", "x-retry-count", "anonymousid")
    asked = {"origin": shop, "access-control-request-headers": ", ".join(headers)}
    preflight = await edge.options(sent.path, headers=asked)
    allowed = preflight.headers["access-control-allow-headers"]
    assert all(header in allowed for header in headers)
    answer = await post(edge, sent, origin=shop)
    assert answer.headers["access-control-allow-origin"] == shop


async def test_identify_works_with_a_get(edge: httpx.AsyncClient, kafka: Broker, user: str) -> None:
    for contract in CONTRACTS:
        if "identify" in contract.name:
            sent = contract.send("secret", user, ["first"])
            answer = await edge.get(f"{sent.path}?{sent.body.decode()}")
            assert (answer.status_code, answer.text) == (200, "success")
            assert len(await values_of(kafka, contract, user)) == 1
    assert (await edge.get("/v1/events")).status_code == 405


@EVERY
async def test_without_kafka_the_answer_is_to_retry(
    unused_tcp_port: int, user: str, contract: Contract
) -> None:
    settings = config(f"127.0.0.1:{unused_tcp_port}", "x.", ack_timeout_seconds=0.2)
    async with serving(settings) as client:
        answer = await post(client, contract.send("secret", user, ["first"]))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert contract.reads_refusal(answer.content, 503)
