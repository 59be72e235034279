"""What the budget lets through, a strict server takes; and what it holds back, it holds no longer
than it must.
"""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.amplitude_read.spending import REST, Pool, Spending
from ampgate.lab.simulators.cost_limit import CostLimit
from ampgate.lab.simulators.model import Violations

SMALL = Pool("small", ((10, 5), (40, 60)), at_once=1)
questions = st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(1, 10), st.floats(0.0, 0.9)))


@given(questions)
def test_no_server_that_counts_strictly_refuses_what_the_budget_let_through(
    asked: list[tuple[float, int, float]],
) -> None:
    """A request is counted some time after it was let through, and before the next question."""
    spending, violations = Spending(), Violations()
    server = CostLimit("cost", SMALL.windows)
    now = 1_000_000.0
    for after, cost, on_its_way in asked:
        now += after
        now += spending.wait_seconds(SMALL, cost, now)
        assert spending.wait_seconds(SMALL, cost, now) == 0.0
        spending.spend(SMALL, cost, now)
        # Not later than its second: what takes longer is told by a 429, and asked again.
        server.refusal(cost, min(now + on_its_way, int(now) + 0.999), violations)

    assert violations.first == []


def test_a_budget_that_is_spent_is_waited_for_until_it_has_left_the_window() -> None:
    spending = Spending()
    spending.spend(REST, 1_000, 1_000_000.5)

    assert spending.wait_seconds(REST, 1, 1_000_010.0) == pytest.approx(291.0)
    assert spending.wait_seconds(REST, 1, 1_000_301.0) == 0.0


def test_what_costs_more_than_a_window_is_never_allowed() -> None:
    assert Spending().wait_seconds(REST, 1_001, 1_000_000.0) == inf


def test_a_clock_that_was_set_back_does_not_block_for_good() -> None:
    spending = Spending()
    spending.spend(REST, 1_000, 2_000_000.0)

    assert spending.wait_seconds(REST, 1, 1_000_000.0) == 0.0
