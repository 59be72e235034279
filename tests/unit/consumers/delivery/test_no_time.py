"""Records of an old message format, which Kafka has no time of."""

from random import Random

import orjson
from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.destinations.amplitude.events import AmplitudeEvents
from schemas.kafka.timestamps import NO_TIMESTAMP
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

EVENT = b'{"event_type":"e","user_id":"ann"}'


def test_an_event_without_any_time_gets_that_of_its_upload() -> None:
    config = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("k"), gzip=False)
    delivery = Delivery(
        AmplitudeEvents(config),
        topic="events",
        parked_topic="parked",
        memory_max_bytes=1_000_000,
        random=Random(1),
    )
    delivery.accept([Kept("events", 0, 0, b"ann", EVENT, "0", NO_TIMESTAMP)], 100.0)
    assert delivery.snapshot().oldest is None

    batch = delivery.next_batch(200.0)
    assert batch is not None
    [sent] = orjson.loads(AmplitudeEvents(config).request(batch.encoded).body)["events"]
    assert sent == {"event_type": "e", "user_id": "ann", "insert_id": "events/0/0"}
