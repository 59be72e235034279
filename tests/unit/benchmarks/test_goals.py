"""The benchmark's goals, and when they are reached."""

import pytest

from benchmarks.goals import AAMPE, AMPLITUDE, BATCH, PACED, SINGLE, verdicts
from benchmarks.row import GO, Figures, Row, row, rows_of


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


def loads(**costs: tuple[float, float | None]) -> list[Row]:
    """A row of each, beside the first one's; the reference's cost is behind ours, if it has one."""
    found = {}
    for name, (ours, go) in costs.items():
        found[name] = [Figures(ours, 1000, 1.0, 90.0, 0.0)]
        if go is not None:
            found[name + GO] = [Figures(go, 1000, 1.0, 90.0, 0.0)]
    return rows_of([(name, "base") for name in costs], found)


@pytest.mark.parametrize(
    ("cost", "go", "reached"),
    [
        (90, 30, True),  # Nine times the base, but three times the reference, as the base is two.
        (91, 30, False),
        (14, 4, False),  # 1.4 times the base, and 3.5 times the reference.
    ],
)
def test_where_the_reference_serves_both_a_load_is_judged_by_its_ratio_to_it(
    cost: float, go: float, reached: bool
) -> None:
    found = verdicts([], loads(base=(10, 5), other=(cost, go)))

    assert [verdict.row for verdict in found] == ([] if reached else ["other"])


@pytest.mark.parametrize("base", [(10, 5), (10, None)])
def test_a_load_that_the_reference_does_not_serve_is_judged_by_its_base(
    base: tuple[float, float | None],
) -> None:
    [verdict] = verdicts([], loads(base=base, fair=(15, None), dear=(16, None)))

    assert (verdict.row, verdict.goal) == ("dear", "≤ 1.5 times its base")
    assert verdict.measured == "1.6 times"


def test_a_verdict_on_a_load_says_its_ratio_to_the_reference_and_that_of_its_base() -> None:
    [verdict] = verdicts([], loads(base=(10, 5), dear=(40, 8)))

    assert verdict.goal == "≤ 1.5 times its base's ratio to Go"
    assert verdict.measured == "5 times Go, 2.5 times its base's"
