"""The benchmark's goals, and when they are reached."""

import pytest

from benchmarks.goals import AAMPE, AMPLITUDE, BATCH, GO, PACED, SINGLE, verdicts
from benchmarks.row import Figures, Row, row


def measured(
    name: str, cost: float, *, reference: float | None = None, p99_ms: float = 20.0, rss: float = 90
) -> Row:
    found = {name: [Figures(cost, 1000, 1.0, rss, 0.0, p99_ms)]}
    if reference is None:
        return row(name, found)
    found["Go"] = [Figures(reference, 1000, 1.0, rss, 0.0, p99_ms)]
    return row(name, found, ratio_to="Go")


@pytest.mark.parametrize(
    ("cost", "reference", "reached"),
    [
        (70, None, True),  # Without a reference, the figure counts.
        (71, None, False),
        (100, 50, True),  # With one, the ratio does, on any machine.
        (60, 20, False),
    ],
)
def test_a_cost_is_reached_by_its_ratio_or_without_a_reference_by_its_figure(
    cost: float, reference: float | None, reached: bool
) -> None:
    [verdict] = verdicts([measured(SINGLE, cost, reference=reference)])

    assert verdict.reached is reached


@pytest.mark.parametrize(("p99_ms", "reached"), [(49.9, True), (50.0, False)])
def test_a_latency_stays_below_its_goal(p99_ms: float, reached: bool) -> None:
    [verdict] = verdicts([measured(PACED, 6, p99_ms=p99_ms)])

    assert verdict.reached is reached


def test_what_has_two_goals_has_two_verdicts() -> None:
    found = verdicts([measured(AMPLITUDE, 4.9, rss=201), measured(AAMPE, 90, reference=60)])

    assert [(verdict.row, verdict.reached) for verdict in found] == [
        (AMPLITUDE, True),
        (AMPLITUDE, False),
        (AAMPE, True),
        (AAMPE, False),
    ]


def test_a_verdict_says_goal_and_figure_in_words() -> None:
    [verdict] = verdicts([measured(BATCH, 7, reference=2)])

    assert verdict.goal == "≤ 3 times Go"
    assert verdict.measured == "7 µs, 3.5 times"
    assert not verdict.reached


def test_what_was_not_measured_has_no_verdict() -> None:
    assert verdicts([]) == []


@pytest.mark.parametrize(("reference_ms", "reached"), [(20.0, True), (19.0, False)])
def test_a_latency_is_at_most_twice_the_references(reference_ms: float, reached: bool) -> None:
    rows = [measured(PACED, 6, p99_ms=40.0), measured(PACED + GO, 3, p99_ms=reference_ms)]

    [verdict] = verdicts(rows)

    assert verdict.reached is reached


def test_another_load_is_named_only_where_it_costs_too_much() -> None:
    others = [measured(name, cost, reference=10) for name, cost in (("TLS", 14.9), ("8 kB", 15.1))]

    assert [(one.row, one.reached) for one in verdicts([], others)] == [("8 kB", False)]
