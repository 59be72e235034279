"""A process may end after it parked a record, and before it committed that."""

from random import Random

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.destinations.aampe.events import AampeEvents
from schemas.letters import LetterHeaders, Origin
from tests.simulation.log import Kept
from tests.unit.consumers.delivery.test_cut_logs import CONFIG, PLACE, event

NOW = 1_763_715_600.0


def parked(original: Kept) -> Kept:
    """As the former owner of its partition parked it."""
    origin = Origin(PLACE, original.offset)
    told = LetterHeaders("a", "throttled", "", origin, 1, NOW, original.timestamp / 1000)
    headers = told.encoded(())
    return Kept("parked", 0, 0, original.key, original.value, None, headers=headers)


def sent(delivery: Delivery) -> int:
    count = 0
    while batch := delivery.next_batch(NOW):
        count += batch.records
        delivery.settle(batch, Response(202, b""), NOW)
    return count


def test_what_a_former_owner_parked_is_sent_once_though_it_is_read_in_both_topics() -> None:
    delivery = Delivery(
        AampeEvents(CONFIG),
        topic="events",
        parked_topic="parked",
        memory_max_bytes=1_000_000,
        random=Random(1),
    )
    delivery.scan([parked(event(7))], NOW)
    delivery.accept([event(7)], NOW)

    assert sent(delivery) == 1
