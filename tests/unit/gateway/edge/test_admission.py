"""How much the edge lets in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.admission import Budget, TokenBucket


def test_the_budget_is_never_overdrawn_by_a_second_request() -> None:
    budget = Budget(10)
    first, second = budget.share(), budget.share()
    assert first.take(6)
    assert not second.take(5)
    assert second.take(4)
    first.give_back(6)
    assert second.take(6)
    assert (budget.used, second.size) == (10, 10)


def test_one_request_larger_than_the_budget_goes_alone() -> None:
    budget = Budget(10)
    large, small = budget.share(), budget.share()
    assert large.take(8)
    assert large.take(42)
    assert not small.take(1)
    large.give_back(50)
    assert small.take(1)
    assert not large.take(10)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.booleans())))
def test_what_is_used_is_what_the_shares_hold(steps: list[tuple[int, int, bool]]) -> None:
    budget = Budget(20)
    shares = [budget.share() for _ in range(4)]
    for which, size, takes in steps:
        share = shares[which]
        if takes:
            share.take(size)
        else:
            share.give_back(min(size, share.size))
        assert budget.used == sum(share.size for share in shares)
        assert budget.used <= budget.limit or sum(share.size > 0 for share in shares) == 1


def test_a_bucket_lets_its_rate_through() -> None:
    bucket = TokenBucket(10, now=0.0)
    assert bucket.take(10, 0.0) == 0.0
    assert bucket.take(1, 0.0) == pytest.approx(0.1)
    assert bucket.take(1, 0.1) == 0.0


def test_however_long_nothing_came_not_more_than_a_second_s_worth_comes_at_once() -> None:
    bucket = TokenBucket(10, now=0.0)
    assert [bucket.take(1, 1000.0) for _ in range(11)] == [0.0] * 10 + [pytest.approx(0.1)]


def test_an_overdrawn_bucket_is_paid_off() -> None:
    bucket = TokenBucket(10, now=0.0)
    assert bucket.take(30, 0.0) == 0.0
    assert bucket.take(1, 1.0) == pytest.approx(1.1)
    assert bucket.take(1, 2.1) == 0.0


def test_a_batch_larger_than_the_burst_does_not_starve_among_single_events() -> None:
    bucket = TokenBucket(10, now=0.0)
    now, passed = 0.0, False
    while not passed and now < 2.0:
        bucket.take(1, now)
        bucket.take(1, now)
        now += 0.1
        passed = bucket.take(500, now) == 0.0
    assert passed


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1, now=10.0)
    assert bucket.take(1, 10.0) == 0.0
    assert bucket.take(1, 5.0) == pytest.approx(1.0)
    assert bucket.take(1, 10.0) == pytest.approx(1.0)


@given(
    st.floats(0.5, 100.0),
    st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(1, 50)), min_size=1, max_size=60),
)
def test_over_time_no_more_passes_than_the_rate_and_one_batch(
    rate: float, arrivals: list[tuple[float, int]]
) -> None:
    bucket, now, passed = TokenBucket(rate, now=0.0), 0.0, 0
    for pause, count in arrivals:
        now += pause
        if bucket.take(count, now) == 0.0:
            passed += count
    assert passed <= max(rate, 1.0) + now * rate + 50
