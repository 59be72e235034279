"""The Big List of Naughty Strings, through HTTP and Kafka and back."""

import json

import httpx
import pytest

from tests.conftest import Broker
from tests.kafka.test_edge import KEY, stored
from tests.kafka.test_edge import edge as edge  # A fixture: pytest finds it by its name here.
from tests.unit.gateway.dialects.test_naughty import NAUGHTY, strings

AT_ONCE = 10  # The edge of these tests takes small bodies.


@pytest.mark.skipif(not NAUGHTY.exists(), reason="the naughty data is not here")
async def test_every_string_is_in_kafka_as_it_was_sent(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str
) -> None:
    sent = strings()
    for start in range(0, len(sent), AT_ONCE):
        some = [
            {"event_type": "e", "user_id": "u", "event_properties": {string: string}}
            for string in sent[start : start + AT_ONCE]
        ]
        native = await edge.post("/v1/events", json=some, headers=KEY)
        assert native.json() == {"accepted": len(some), "rejected": []}

    records = await stored(kafka, f"{topic_prefix}events")
    found = [json.loads(record.value)["event_properties"] for record in records]
    assert found == [{string: string} for string in sent]
