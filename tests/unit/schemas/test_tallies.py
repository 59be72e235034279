"""What is counted in plain numbers is in prometheus-client's metrics whenever they are read."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from schemas.tallies import Tallies

BUCKETS = (0.5, 1.0, 5.0)
AMOUNTS = st.one_of(st.sampled_from(BUCKETS), st.floats(-1, 10))


def test_a_counter_has_all_counts_at_each_look() -> None:
    registry = CollectorRegistry()
    counter = Tallies(registry).counter("records", "Records.", ["source"])
    counter.labels("shop").inc()
    counter.labels("shop").inc(2)

    assert registry.get_sample_value("records_total", {"source": "shop"}) == 3

    counter.labels("shop").inc()
    assert registry.get_sample_value("records_total", {"source": "shop"}) == 4
    assert registry.get_sample_value("records_total", {"source": "shop"}) == 4


@given(st.lists(AMOUNTS), st.lists(AMOUNTS))
def test_a_histogram_is_that_of_prometheus_client(first: list[float], second: list[float]) -> None:
    told, own = CollectorRegistry(), CollectorRegistry()
    spread = Tallies(told).histogram("seconds", "Seconds.", (), buckets=BUCKETS).labels()
    histogram = Histogram("seconds", "Seconds.", registry=own, buckets=BUCKETS)

    for amounts in (first, second):
        for amount in amounts:
            spread.observe(amount)
            histogram.observe(amount)

        names = ("seconds_count", *["seconds_bucket"] * 4)
        for name, bound in zip(names, (None, "0.5", "1.0", "5.0", "+Inf"), strict=True):
            labels = {} if bound is None else {"le": bound}
            expected = own.get_sample_value(name, labels)
            assert told.get_sample_value(name, labels) == expected
