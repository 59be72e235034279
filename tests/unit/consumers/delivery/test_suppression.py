"""Records of suppressed users are dropped when they are to be sent, wherever they waited."""

from collections.abc import Sequence
from random import Random

import orjson
import pytest
from pydantic import SecretStr

from consumers.delivery.batch import Batch
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Destination, Response, Unreachable
from consumers.delivery.outcomes import SUPPRESSED
from consumers.destinations.amplitude.events import AmplitudeEvents
from consumers.destinations.amplitude.forms import AmplitudeGroupIdentify, AmplitudeIdentify
from schemas.records import TopicPartition
from schemas.suppressions import Change, Suppressions
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

NOW = 1000.0
PLACE = TopicPartition("events", 0)
CONFIG = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("k"))


class Suppressing:
    """A delivery, and who is suppressed."""

    def __init__(self, destination: Destination | None = None) -> None:
        self.users = Suppressions()
        self.delivery = Delivery(
            destination or AmplitudeEvents(CONFIG),
            topic="events",
            parked_topic="parked",
            memory_max_bytes=1_000_000,
            random=Random(1),
            suppressed=self.users,
        )

    def suppress(self, *names: str) -> None:
        for name in names:
            self.users.change(Change(name, is_suppressed=True))

    def batch(self, now: float) -> Batch:
        batch = self.delivery.next_batch(now)
        assert batch is not None
        return batch


def event(offset: int, **members: object) -> Kept:
    value = {"event_type": "e", "time": 1, **members}
    key = str(members.get("user_id") or members["device_id"])
    return Kept(*PLACE, offset, key.encode(), orjson.dumps(value), f"i{offset}")


def offsets(batch: Batch) -> Sequence[int]:
    return [entry.offset for _, part in batch.parts for entry in part]


def test_only_what_is_of_a_suppressed_user_is_dropped() -> None:
    here = Suppressing()
    here.suppress("ann", "@shop.example")
    records = [
        *(event(0, user_id="ann"), event(1, user_id="Ann"), event(2, user_id="bob")),
        *(event(3, user_id="x@Shop.Example"), event(4, device_id="ann")),
        event(5, user_id="ann", device_id="phone"),
    ]
    here.delivery.accept(records, NOW)
    assert offsets(here.batch(NOW + 1)) == [1, 2, 4]
    assert here.delivery.dropped() == [SUPPRESSED] * 3
    assert here.delivery.dropped() == []
    assert here.delivery.committable() == {PLACE: 1}


def test_a_batch_of_suppressed_users_only_is_settled_without_a_request() -> None:
    here = Suppressing()
    here.suppress("ann")
    here.delivery.accept([event(offset, user_id="ann") for offset in range(3)], NOW)
    assert here.delivery.next_batch(NOW + 1) is None
    assert (here.delivery.wakes_at(), here.delivery.committable()) == (None, {PLACE: 3})


def test_what_is_to_be_sent_again_is_dropped_when_its_user_was_suppressed_meanwhile() -> None:
    here = Suppressing()
    here.delivery.accept([event(0, user_id="ann"), event(1, user_id="bob")], NOW)
    batch = here.batch(NOW + 1)
    here.suppress("ann")
    here.delivery.settle(batch, Unreachable("read_timeout"), NOW + 2)
    assert offsets(here.batch(NOW + 100)) == [1]
    assert here.delivery.dropped() == [SUPPRESSED]


def test_what_is_held_is_dropped_when_it_is_due() -> None:
    here = Suppressing()
    here.delivery.accept([event(0, user_id="ann"), event(1, user_id="bob")], NOW)
    told = {"code": 429, "error": "slow down", "throttled_users": {"ann": 9}}
    body = orjson.dumps(told | {"throttled_events": [0]})
    here.delivery.settle(here.batch(NOW + 1), Response(429, body), NOW + 1)
    here.suppress("ann")
    others = here.batch(NOW + 2)
    assert offsets(others) == [1]
    here.delivery.settle(others, Response(200, b'{"code":200}'), NOW + 3)
    assert here.delivery.dropped() == []
    assert here.delivery.next_batch(NOW + 60) is None
    assert here.delivery.dropped() == [SUPPRESSED]


def test_of_a_suppressed_user_no_dead_letter_is_made() -> None:
    here = Suppressing()
    here.suppress("ann")
    broken = [Kept(*PLACE, at, key, b"{", f"i{at}") for at, key in enumerate([b"ann", b"bob"])]
    assert here.delivery.accept(broken, NOW) == [SUPPRESSED]
    letter = here.delivery.next_dead_letter()
    assert letter is not None
    assert letter.entry.offset == 1
    assert here.delivery.next_dead_letter() is None


@pytest.mark.parametrize("key", [None, b"bob", b""])
def test_a_suppressed_user_is_known_by_the_value_too_where_the_record_is_of_no_use(
    key: bytes | None,
) -> None:
    """A service may leave the key out, or write another one."""
    here = Suppressing()
    here.suppress("ann")
    values = [b'{"user_id":"%b","event_type":"e","time":"noon"}' % who for who in (b"ann", b"eve")]
    records = [Kept(*PLACE, at, key, value, f"i{at}") for at, value in enumerate(values)]
    assert here.delivery.accept(records, NOW) == [SUPPRESSED]
    letter = here.delivery.next_dead_letter()
    assert letter is not None
    assert letter.entry.offset == 1
    assert here.delivery.next_dead_letter() is None


@pytest.mark.parametrize("suppressed", [["org:ann@shop.example"], ["@shop.example"]])
def test_a_group_is_nobody(suppressed: list[str]) -> None:
    here = Suppressing(AmplitudeGroupIdentify(CONFIG))
    here.suppress(*suppressed)
    value = {"group_type": "org", "group_value": "ann@shop.example", "group_properties": {"a": 1}}
    key = b"org:ann@shop.example"
    record = Kept(*PLACE, 0, key, orjson.dumps(value), "i0")
    broken = Kept(*PLACE, 1, key, b"{", "i1")
    assert here.delivery.accept([record, broken], NOW) == []
    assert offsets(here.batch(NOW + 1)) == [0]
    assert here.delivery.next_dead_letter() is not None


def test_what_was_merged_for_a_user_is_dropped_as_a_whole() -> None:
    here = Suppressing(AmplitudeIdentify(CONFIG))
    update = {"user_properties": {"$set": {"a": 1}}}
    records = [event(n, user_id=("ann", "bob")[n % 2], **update) for n in range(6)]
    here.delivery.accept(records, NOW)
    batch = here.batch(NOW + 1)
    assert batch.records == 6
    here.suppress("ann")
    here.delivery.settle(batch, Unreachable("read_timeout"), NOW + 2)
    assert here.batch(NOW + 100).records == 3
    assert here.delivery.dropped() == [SUPPRESSED] * 3
