"""The benchmark's figures: turns, medians and ratios."""

from functools import partial

from benchmarks.row import Figures, against, compared, in_turns, row, rows_of


def figures(cost: float, *, seconds: float = 2.0, p99_ms: float | None = None) -> Figures:
    return Figures(cost, 1000, seconds, rss_megabytes=80.0, other_end_busy=0.5, p99_ms=p99_ms)


def test_every_round_measures_each_subject_once_before_any_a_second_time() -> None:
    order: list[str] = []

    def measure(name: str) -> Figures:
        order.append(name)
        return figures(1.0)

    found = in_turns({name: partial(measure, name) for name in ("ours", "Go")}, rounds=2)

    assert order == ["ours", "Go", "ours", "Go"]
    assert {name: len(rounds) for name, rounds in found.items()} == {"ours": 2, "Go": 2}


def test_a_row_is_the_median_of_its_rounds_and_keeps_each_of_them() -> None:
    rounds = [figures(90, seconds=4), figures(50, seconds=1), figures(60, seconds=2)]

    found = row("ours", {"ours": rounds})

    assert found.microseconds_per_event == 60
    assert list(found.rounds) == [90, 50, 60]
    assert found.events_per_second == 500
    assert found.events_per_second_a_core == 16667


def test_a_ratio_compares_what_was_measured_in_the_same_round() -> None:
    # The machine was slower from round to round: 70 / 40 of the medians is what no round saw.
    ours = [figures(50), figures(70), figures(100)]
    others = [figures(25), figures(40), figures(50)]

    found = row("ours", {"ours": ours, "Go": others}, ratio_to="Go")

    assert found.ratio == 2
    assert found.ratio_to == "Go"


def test_a_row_has_its_ratio_to_the_reference_beside_that_to_its_base() -> None:
    found = {"gzip": [figures(30)], "gzip, Go": [figures(10)], "base": [figures(20)]}

    [gzip] = rows_of([("gzip", "base")], found)

    assert (gzip.ratio, gzip.ratio_go) == (1.5, 3.0)
    assert row("base", found).ratio_go is None


def test_a_busy_round_does_not_spoil_the_ratio() -> None:
    ours, others = [100.0, 400.0, 90.0], [50.0, 50.0, 45.0]

    found = row(
        "ours", {"ours": list(map(figures, ours)), "Go": list(map(figures, others))}, ratio_to="Go"
    )

    assert found.ratio == 2


def test_the_latency_is_a_median_too_and_absent_where_there_is_none() -> None:
    rounds = [figures(1, p99_ms=p99) for p99 in (40.0, 300.0, 50.0)]

    assert row("edge", {"edge": rounds}).p99_ms == 50
    assert row("delivery", {"delivery": [figures(1)]}).p99_ms is None


def test_sizes_are_compared_with_the_first() -> None:
    found = {"1 worker": [figures(70)], "2 workers": [figures(77)]}

    first, second = compared(["1 worker", "2 workers"], found)

    assert (first.ratio, first.ratio_to) == (None, None)
    assert (second.ratio, second.ratio_to) == (1.1, "1 worker")


def test_a_row_without_the_other_has_no_ratio_and_one_that_was_not_measured_is_left_out() -> None:
    found = {"edge": [figures(10)], "native": [figures(20)]}

    made = rows_of([("edge", "edge, Go"), ("native", "edge"), ("Segment", "edge")], found)

    assert [(one.name, one.ratio) for one in made] == [("edge", None), ("native", 2.0)]


def test_each_row_is_compared_with_that_of_the_other_checkout() -> None:
    found = {"edge": [figures(9)], "edge, before": [figures(10)], "edge, Go": [figures(5)]}

    [one] = against(found)

    assert (one.name, one.ratio, one.ratio_to) == ("edge", 0.9, "edge, before")


def test_what_fails_has_no_row_and_the_others_have_theirs() -> None:
    def fails() -> Figures:
        raise AssertionError("3 requests failed")

    found = in_turns({"bad": fails, "edge": partial(figures, 1.0)}, rounds=2)

    assert {name: len(rounds) for name, rounds in found.items()} == {"edge": 2}
