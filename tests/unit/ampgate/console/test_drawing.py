"""Pictures stay readable: round axes, gaps as gaps, and few boxes however many there are."""

from hypothesis import given
from hypothesis import strategies as st

from ampgate.console.drawing.graphs import Series, graph, round_above
from ampgate.console.drawing.picture import NARROW, NODES_MAX, WIDE, Link, Node, picture

NOW = 1_795_690_800.0


@given(st.floats(0, 1e12))
def test_an_axis_ends_at_a_round_number_that_is_not_below_any_value(value: float) -> None:
    top = round_above(value)

    assert value <= top <= max(1.0, value * 2.5 + 1e-9)
    assert f"{top:e}"[0] in "125"


def test_a_graph_has_a_gap_where_nothing_is_known() -> None:
    points = [(NOW - 30, 1.0), (NOW - 20, 2.0), (NOW - 10, None), (NOW - 5, 4.0), (NOW, 5.0)]
    made = graph("Waiting", [Series("waiting", "first", points)], NOW)

    assert made.lines[0].path.count("M") == 2
    assert made.in_words == "Waiting, the last hour. Now: waiting 5. Highest: 5."
    assert [label for _, label in made.y_ticks] == ["0", "2.5", "5"]
    assert all(at % 900 == 0 and at <= NOW for _, at in made.x_ticks)


def test_a_graph_without_points_has_its_axes() -> None:
    made = graph("Waiting", [Series("waiting", "first", [])], NOW)

    assert made.lines[0].path == ""
    assert len(made.y_ticks) == 3


def test_of_a_hundred_destinations_the_worst_are_in_the_picture_and_the_others_counted() -> None:
    nodes = [Node(f"d{n}", f"d{n}", "", "good", rank=float(n == 77)) for n in range(100)]
    for size in (WIDE, NARROW):
        made = picture([("Topics", [Node("t", "t", "", "")]), ("Destinations", nodes)], [], size)
        labels = [box.label for box in made.boxes]

        assert len(labels) == NODES_MAX + 1
        assert "d77" in labels
        assert labels[-1] == f"{100 - (NODES_MAX - 1)} more"
        assert all(box.x + made.box_width <= made.width for box in made.boxes)


def test_a_line_to_a_box_that_is_not_shown_is_left_out() -> None:
    nodes = [Node("a", "a", "", "good")]
    links = [Link("a", "b", 5.0), Link("a", "gone", 5.0)]
    made = picture([("A", nodes), ("B", [Node("b", "b" * 90, "", "good")])], links, NARROW)

    assert len(made.curves) == 1
    assert made.boxes[1].label.endswith("…")
