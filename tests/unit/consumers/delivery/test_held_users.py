"""Nobody waits for held users, and few users get all that their rate allows."""

from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.delivery.entry import Entry
from consumers.delivery.waits import ASKED_A_SECOND, Waits
from consumers.destinations.amplitude.answers import THROTTLED_SECONDS
from consumers.destinations.amplitude.events import EVENTS, AmplitudeEvents
from schemas.records import Stored
from tests.unit.consumers.delivery.virtual_shell import (
    CONFIG,
    HOLD_SECONDS,
    OWN,
    PARKED,
    VirtualShell,
)

OF_ONE_USER = 12_000
SENT_AT_ONCE = EVENTS.burst


def test_few_users_with_much_traffic_are_delivered_at_their_rate() -> None:
    users = ["ann", "bob"]
    shell = VirtualShell(users * OF_ONE_USER, memory=3_000_000, is_throttled=lambda _: False)
    began = shell.now
    at_their_rate = (OF_ONE_USER - SENT_AT_ONCE) * EVENTS.interval

    shell.run(100.0)

    assert shell.delivered == dict.fromkeys(users, OF_ONE_USER)
    assert max(shell.delivered_at.values()) - began < 1.25 * at_their_rate
    assert shell.parked > 0, "memory had room for all"


@settings(max_examples=10)
@given(
    users=st.integers(2, 300),
    share=st.integers(1, 99),
    memory=st.sampled_from([300_000, 1_000_000]),
)
def test_who_is_not_held_does_not_wait_for_who_is(users: int, share: int, memory: int) -> None:
    def is_throttled(user: str) -> bool:
        return int(user[5:]) * 37 % 100 < share

    everybody = [f"user-{number}" for number in range(users)]
    rounds = 1 + 1500 // users
    shell = VirtualShell(everybody * rounds, memory=memory, is_throttled=is_throttled)
    free = [user for user in everybody if not is_throttled(user)]

    shell.run(HOLD_SECONDS / 2)
    assert {user: shell.delivered[user] for user in free} == dict.fromkeys(free, rounds)

    shell.run(2 * HOLD_SECONDS)
    assert shell.delivered == dict.fromkeys(everybody, rounds)


@pytest.mark.parametrize(
    "longer",
    [{"exceeded_daily_quota_users": {"ann": 1}}, {"exceeded_daily_quota_devices": {"phone": 1}}],
)
def test_who_waits_already_is_parked_as_soon_as_the_hold_is_a_long_one(
    longer: dict[str, dict[str, int]],
) -> None:
    now = 1000.0
    delivery = _delivery(PARKED.topic)
    for place in (PARKED, OWN):
        delivery.assign(place, 0)
    delivery.accept([_event(0, "ann", "phone"), _event(1, "bob", "laptop")], now=0.0)

    _refuse(delivery, {"throttled_users": {"ann": 1001}}, now)
    assert delivery.snapshot().held == 1
    assert delivery.next_parking() is None

    _refuse(delivery, longer, now)
    letter = delivery.next_parking()
    assert letter is not None
    assert (letter.entry.offset, letter.reason, letter.not_before) == (0, "daily_quota", 3600.0)


def test_whose_hold_ends_while_others_are_in_flight_is_sent_after_their_reply() -> None:
    delivery = _delivery(PARKED.topic)
    delivery.assign(OWN, 0)
    delivery.accept([_event(0, "ann", "phone"), _event(1, "bob", "laptop")], now=0.0)
    _refuse(delivery, {"throttled_users": {"ann": 1001}}, 1000.0)
    ended = 1000.0 + THROTTLED_SECONDS
    bobs = delivery.next_batch(ended - 1.0)
    assert bobs is not None
    assert delivery.next_batch(ended) is None

    delivery.settle(bobs, Response(200, b'{"code":200}'), ended)
    anns = delivery.next_batch(ended)

    assert anns is not None
    assert [encoded.key for encoded in anns.encoded] == ["ann"]


def test_thousands_whose_holds_end_one_by_one_are_not_all_asked_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, is_held = 0, Waits.is_held

    def counted(waits: Waits, entry: Entry) -> bool:
        nonlocal asked
        asked += 1
        return is_held(waits, entry)

    monkeypatch.setattr(Waits, "is_held", counted)
    delivery = _delivery(parked_topic=None)
    delivery.assign(OWN, 0)
    users = [f"user-{number}" for number in range(2_000)]
    delivery.accept([_event(n, user, user) for n, user in enumerate(users)], now=0.0)
    for number, user in enumerate(users):
        _refuse(delivery, {"throttled_users": {user: 1001}}, 1000.0 + number / 1000)
    asked, now, last = 0, 1000.0 + THROTTLED_SECONDS, 1002.0 + THROTTLED_SECONDS

    while delivery.snapshot().held:
        while batch := delivery.next_batch(now):
            delivery.settle(batch, Response(200, b'{"code":200}'), now)
        now = max(now + 0.001, delivery.wakes_at() or 0.0)

    assert now < last + 0.1
    assert asked < 2 * (now - 1000.0 - THROTTLED_SECONDS) * ASKED_A_SECOND


def _delivery(parked_topic: str | None) -> Delivery:
    return Delivery(
        AmplitudeEvents(CONFIG),
        topic=OWN.topic,
        parked_topic=parked_topic,
        memory_max_bytes=100_000_000,
        random=Random(1),
    )


def _event(offset: int, user: str, device: str) -> Stored:
    value = orjson.dumps({"event_type": "e", "user_id": user, "device_id": device, "time": 1})
    return Stored(*OWN, offset, 1, user.encode(), value, ())


def _refuse(delivery: Delivery, named: dict[str, dict[str, int]], now: float) -> None:
    batch = delivery.next_batch(now)
    assert batch is not None
    delivery.settle(batch, Response(429, orjson.dumps({"code": 429, **named})), now)
