"""A type of destination costs its two files and a line of the registry; the rest works with it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import prometheus_client
import pytest

from ampgate import topics
from schemas.configuration.config import Config
from schemas.topics import Kind
from schemas.vendors import VENDORS
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.delivery_world import World
from tests.operating import Message, Operation, event
from tests.vendors import jsonlines_vendor
from tests.vendors.jsonlines_server import Stored, storing

NAME, KEY = "lines", "right"
ALL = ("--from", "2020-01-01", "--to", "2100-01-01", "--yes")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VENDORS, jsonlines_vendor.VENDOR.type, jsonlines_vendor.VENDOR)


@pytest.fixture
async def stored() -> AsyncIterator[Stored]:
    async with storing(KEY) as opened:
        yield opened


@pytest.fixture
async def lines(kafka: Broker, topic_prefix: str, stored: Stored) -> Operation:
    """A gateway with one destination: JSON lines."""
    config = configured(kafka, topic_prefix, stored.url, KEY)
    await topics.create(config.kafka, partitions=3)
    return Operation(config)


def configured(kafka: Broker, prefix: str, url: str, key: str) -> Config:
    reached = {"bootstrap_servers": kafka.bootstrap_servers, "topic_prefix": prefix}
    one = {"name": NAME, "type": "jsonlines", "api_key": key, "base_url": url}
    return Config.model_validate({"kafka": reached, "destinations": [one]})


def sample(metric: str, **labels: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value(metric, labels) or 0.0


async def test_its_records_are_delivered_in_order_at_most_500_a_request(
    lines: Operation, stored: Stored
) -> None:
    sent = [event(f"user-{n % 7}", event_properties={"n": n}) for n in range(2000)]
    await lines.produce(lines.config.kafka.topics.events, sent)
    world = World(lines.config, {})
    before = sample("ampgate_delivery_records_total", **settled("delivered"))

    async with world.delivering():
        await seen(lambda: found(stored), lambda count: count >= 2000)

    assert max(map(len, stored.requests)) <= 500
    for user in range(7):
        of_user = [one for one in stored.lines if one["user_id"] == f"user-{user}"]
        assert [one["event_properties"]["n"] for one in of_user] == list(range(user, 2000, 7))
    after = sample("ampgate_delivery_records_total", **settled("delivered"))
    assert after - before == 2000


async def test_what_it_refuses_is_a_dead_letter_that_can_be_sent_again(
    lines: Operation, stored: Stored, tmp_path: Path
) -> None:
    bad = Message(b'{"event_type":"Bad","user_id":"ann","insert_id":"bad"}', b"ann")
    good = event("ann", insert_id="good")
    await lines.produce(lines.config.kafka.topics.events, [bad, good])
    world = World(lines.config, {})

    async with world.delivering():
        (letter,) = await world.dead_letters(1)
        await seen(lambda: found(stored), lambda count: count >= 1)

    assert (letter["destination"], letter["reason"]) == (NAME, "invalid_line")
    assert (letter["detail"], letter["status"]) == ("is bad", "400")
    assert [one["insert_id"] for one in stored.lines] == ["good"]
    listed = await lines.run(tmp_path, "dead-letters", "list", "--json")
    assert '"reason":"invalid_line"' in listed.stdout
    replayed = await lines.run(tmp_path, "dead-letters", "replay", "--yes")
    assert replayed.exit_code == 0, replayed.output
    parked = await lines.stored(lines.config.kafka.topics.parked)
    assert [one.header("destination") for one in parked] == [NAME]


async def test_replay_sends_it_a_time_span_again_and_warns(
    lines: Operation, stored: Stored, tmp_path: Path
) -> None:
    await lines.produce(lines.config.kafka.topics.events, [event("ann", insert_id="a")])
    async with World(lines.config, {}).delivering():
        await seen(lambda: found(stored), lambda count: count >= 1)

    ran = await lines.run(tmp_path, "replay", "--destination", NAME, *ALL)

    assert ran.exit_code == 0, ran.output
    assert "1 of these go where JSON lines dedupes nothing: they would COUNT TWICE" in ran.stdout
    async with World(lines.config, {}).delivering():
        await seen(lambda: found(stored), lambda count: count >= 2)
    assert [one["insert_id"] for one in stored.lines] == ["a", "a"]


async def test_trace_knows_what_became_of_a_record(
    lines: Operation, stored: Stored, tmp_path: Path
) -> None:
    await lines.produce(lines.config.kafka.topics.events, [event("ann", insert_id="a")])
    before = await lines.run(tmp_path, "trace", "--insert-id", "a", "--json")
    async with World(lines.config, {}).delivering():
        await seen(lambda: found(stored), lambda count: count >= 1)

    after = await lines.run(tmp_path, "trace", "--insert-id", "a", "--json")

    told = [json.loads(ran.stdout) for ran in (before, after)]
    assert [(one["destination"], one["state"]) for one in told] == [
        (NAME, "unread"),
        (NAME, "delivered"),
    ]


@pytest.mark.parametrize(
    ("key", "path", "says", "fix"),
    [
        (KEY, "", "accepts the key", ""),
        ("wrong", "", "refuses the key (status_401)", "correct its api_key"),
        (KEY, "/elsewhere", "does not serve its API there (status_404)", "correct its base_url"),
    ],
)
async def test_check_tries_its_key_and_stores_nothing(
    *,
    kafka: Broker,
    topic_prefix: str,
    stored: Stored,
    tmp_path: Path,
    key: str,
    path: str,
    says: str,
    fix: str,
) -> None:
    config = configured(kafka, topic_prefix, stored.url + path, key)

    ran = await Operation(config).run(tmp_path, "check", "--json")

    findings = [json.loads(line) for line in ran.stdout.splitlines()]
    (finding,) = [one for one in findings if one["subject"] == NAME]
    assert (finding["says"], finding["fix"]) == (says, fix)
    assert stored.lines == []


async def test_its_destinations_stand_in_the_metrics(lines: Operation, stored: Stored) -> None:
    await lines.produce(lines.config.kafka.topics.events, [event("ann")])
    labels = {"destination": NAME, "endpoint": "/events", "status": "200"}
    before = sample("ampgate_delivery_requests_total", **labels)

    async with World(lines.config, {}).delivering():
        await seen(lambda: found(stored), lambda count: count >= 1)

    assert sample("ampgate_delivery_requests_total", **labels) == before + 1


def settled(outcome: str) -> dict[str, str]:
    return {"destination": NAME, "kind": Kind.EVENT, "outcome": outcome}


async def found(stored: Stored) -> int:
    return len(stored.lines)
