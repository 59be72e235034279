"""A log that lost its end is read anew, and what is read then is settled as any other."""

from random import Random

from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.destinations.aampe.events import AampeEvents
from schemas.records import TopicPartition
from schemas.vendors.aampe import AampeDestination
from tests.simulation.log import Kept

PLACE = TopicPartition("events", 0)
CONFIG = AampeDestination(type="aampe", name="a", api_key=SecretStr("k"), region="us-east1")


def event(number: int) -> Kept:
    value = b'{"event_type":"e","user_id":"u"}'
    return Kept(*PLACE, number, b"u", value, None, timestamp=number)


def test_a_cut_log_is_read_anew_once_all_is_settled_and_committed_from_there_on() -> None:
    delivery = Delivery(
        AampeEvents(CONFIG),
        topic="events",
        parked_topic=None,
        memory_max_bytes=1_000_000,
        random=Random(1),
    )
    delivery.accept([event(7), event(8)], now=0.0)
    assert not delivery.restart(PLACE)
    _deliver(delivery)
    assert delivery.restart(PLACE)

    delivery.reached(PLACE, 3)
    assert delivery.committable() == {PLACE: 3}

    delivery.accept([event(3), event(4)], now=1.0)
    _deliver(delivery)
    assert delivery.committable() == {PLACE: 5}


def _deliver(delivery: Delivery) -> None:
    while batch := delivery.next_batch(2.0):
        delivery.settle(batch, Response(202, b""), 2.0)
