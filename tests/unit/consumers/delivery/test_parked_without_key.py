"""Parked records without a key, of which a changed configuration makes something else."""

from random import Random

from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.outcomes import Skip
from consumers.destinations import destinations_of
from schemas.letters import TRUNCATED, LetterHeaders, Origin
from schemas.records import Headers, TopicPartition
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

NOW = 1000.0
CONFIG = AmplitudeDestination(
    type="amplitude", name="a", api_key=SecretStr("k"), sources=("web-shop",)
)
EVENT = b'{"event_type":"e","user_id":"ann"}'
PLACE = TopicPartition("parked", 0)


def test_a_parked_reference_that_is_not_wanted_any_more_is_skipped_once_it_is_due() -> None:
    """It is parked with its user as key, and read again without one, as it was produced."""
    delivery = Delivery(
        destinations_of(CONFIG)[0],
        topic="events",
        parked_topic="parked",
        memory_max_bytes=1_000_000,
        random=Random(1),
    )
    origin = Origin(TopicPartition("events", 0), 7)
    told = LetterHeaders("a", "throttled", "", origin, 1, NOW, NOW, not_before=NOW + 100.0)
    letter: Headers = told.encoded(())
    reference = Kept(*PLACE, 0, b"ann", None, "i", 0, [*letter, (TRUNCATED, b"9")])
    delivery.assign(PLACE, 0)
    assert delivery.scan([reference], NOW) == []
    later = NOW + 200.0
    assert delivery.wants(later) == PLACE
    assert delivery.load([Kept(*PLACE, 0, None, EVENT, "i", 0, letter)], later) == [
        Skip("other_source")
    ]
    assert delivery.wants(later) is None
    assert delivery.committable() == {PLACE: 1}
