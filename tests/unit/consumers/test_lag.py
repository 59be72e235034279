"""The lag that a worker shows is of the partitions that are its own."""

from random import Random

import pytest
from prometheus_client import REGISTRY

from consumers.delivery.delivery import Delivery
from consumers.destinations.aampe.events import destinations
from consumers.metrics import Counts
from schemas.records import Standing, TopicPartition
from schemas.topics import Kind
from schemas.vendors.aampe import AampeDestination

OURS, ANOTHERS = TopicPartition("events", 0), TopicPartition("events", 1)


@pytest.fixture
def delivery() -> Delivery:
    configured = AampeDestination.model_validate(
        {"name": "lag", "type": "aampe", "api_key": "key", "region": "us-east1"}
    )
    return Delivery(
        destinations(configured)[0],
        topic="events",
        parked_topic=None,
        memory_max_bytes=1_000_000,
        random=Random(0),
    )


def lag(place: TopicPartition) -> float | None:
    labels = {"destination": "lag", "topic": place.topic, "partition": str(place.partition)}
    return REGISTRY.get_sample_value("ampgate_delivery_lag_records", labels)


def test_what_was_measured_in_a_rebalance_of_anothers_partition_is_not_shown_any_more(
    delivery: Delivery,
) -> None:
    counts = Counts("lag", Kind.EVENT)
    counts.given_away([ANOTHERS])
    before = {place: Standing(10, 181) for place in (OURS, ANOTHERS)}
    counts.measured(delivery, before, {OURS, ANOTHERS}, 1.0)
    assert (lag(OURS), lag(ANOTHERS)) == (171, 171)

    counts.measured(delivery, {OURS: Standing(181, 181)}, {OURS}, 2.0)

    assert (lag(OURS), lag(ANOTHERS)) == (0, None)


def test_the_lag_of_an_own_partition_stays_while_its_end_is_not_known(delivery: Delivery) -> None:
    counts = Counts("lag", Kind.EVENT)
    counts.measured(delivery, {OURS: Standing(10, 181)}, {OURS}, 1.0)

    counts.measured(delivery, {}, {OURS}, 2.0)

    assert lag(OURS) == 171
    counts.ended()
    assert lag(OURS) is None
