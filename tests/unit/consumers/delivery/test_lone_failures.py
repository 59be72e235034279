"""Records that fail alone while others succeed: a bad one, or an outage that others do not meet."""

from random import Random

import pytest

from consumers.delivery.destination import Response
from consumers.delivery.policy import USUAL
from tests.unit.consumers.delivery.test_pace import aampe, event


@pytest.mark.parametrize(("status", "rounds", "is_poison"), [(429, 80, False), (503, 200, True)])
def test_a_record_that_fails_alone_is_poison_unless_it_is_told_to_wait(
    status: int, rounds: int, is_poison: bool
) -> None:
    delivery, told = aampe(), 0
    for number in range(rounds):
        delivery.accept([event(number)], now=100.0 * number)
        for now in (100.0 * number, 100.0 * number + 50.0):
            while batch := delivery.next_batch(now):
                [first, *_] = batch.parts[0][1]
                is_first = first.record.offset == 0
                told += is_first
                reply = Response(status, b"", 1.0) if is_first else Response(202, b"")
                delivery.settle(batch, reply, now)
    assert told > USUAL.lone_failures_max
    assert (delivery.next_dead_letter() is not None) == is_poison
    assert delivery.snapshot().unsettled == 1


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_an_outage_of_most_of_a_destination_kills_nothing(share: float) -> None:
    """As when one of ten machines behind its balancer is left: each record fails again and again,
    while others succeed now and then.
    """
    delivery, chance, users = aampe(), Random(2), 20
    count = failed = 0
    for second in range(3600):
        while delivery.snapshot().unsettled < 2 * users:
            delivery.accept([event(count, count % users)], now=float(second))
            count += 1
        while batch := delivery.next_batch(float(second)):
            is_failure = chance.random() < share
            failed += is_failure
            delivery.settle(batch, Response(503 if is_failure else 202, b""), float(second))
        assert delivery.next_dead_letter() is None
    assert failed > 2 * users * USUAL.lone_failures_max


def test_an_outage_of_two_hours_for_some_users_kills_nothing() -> None:
    """As when one of ten shards is away: these fail each time, while all others succeed."""
    delivery, users, ends_at, last = aampe(), 20, 7200.0, 9100.0
    count = delivered = 0
    now = 100.0
    while now < last:
        delivery.accept([event(count, count % users)], now)
        count += 1
        while batch := delivery.next_batch(now):
            is_away = now < ends_at and batch.encoded[0].key in ("u0", "u10")
            delivered += not is_away
            delivery.settle(batch, Response(503 if is_away else 202, b""), now)
        assert delivery.next_dead_letter() is None
        now += 10.0
    assert delivered == count
