"""The figures of many processes together, and what is kept of the last hour."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ampgate.console.figures.exposition import Sample, samples
from ampgate.console.figures.figures import Figures
from ampgate.console.figures.history import LOOKS_MAX, History
from ampgate.console.figures.names import RECORDS, WAITING
from ampgate.console.figures.totals import Totals
from schemas.configuration.config import Config
from schemas.http.client import client_builder
from tests.served import served

EXPOSITION = """\
# HELP ampgate_delivery_waiting_records Records that wait.
# TYPE ampgate_delivery_waiting_records gauge
ampgate_delivery_waiting_records{destination="a",reason="held"} 3.0
ampgate_delivery_waiting_records{destination="b",reason="held"} 4.0
ampgate_delivery_waiting_records_more{destination="a"} 9.0
process_open_fds 12.0
"""
KEY = (RECORDS, (("destination", "a"), ("outcome", "delivered")))


def delivered(count: float) -> list[Sample]:
    return [Sample(KEY[0], KEY[1], count)]


def test_only_the_wanted_metrics_are_read() -> None:
    found = samples(EXPOSITION, {WAITING})

    assert [(one.label("destination"), one.value) for one in found] == [("a", 3.0), ("b", 4.0)]
    assert len(samples(EXPOSITION, {WAITING}, 'destination="b"')) == 1
    assert samples("<html>502</html>\n", {WAITING}) == []


def test_growth_is_summed_over_processes_and_never_goes_back() -> None:
    totals = Totals()
    totals.take({"one": delivered(100), "two": delivered(50)})
    assert totals.grown.get(KEY, 0.0) == 0.0
    totals.take({"one": delivered(110), "two": delivered(55)})
    assert totals.grown[KEY] == 15.0

    totals.take({"one": delivered(4), "two": delivered(55)})  # The first has started again.
    assert totals.grown[KEY] == 19.0
    totals.take({"two": delivered(60)})  # And is gone.
    assert totals.grown[KEY] == 24.0
    assert totals.counted[KEY] == 60.0


def test_gauges_are_summed_ages_are_the_greatest_and_times_the_earliest() -> None:
    def gauges(waiting: float, oldest: float, since: float) -> list[Sample]:
        names = (WAITING, "ampgate_delivery_oldest_waiting_seconds")
        since_name = "ampgate_delivery_paused_since_timestamp_seconds"
        values = (waiting, oldest, since)
        return [Sample(n, (), v) for n, v in zip((*names, since_name), values, strict=True)]

    totals = Totals()
    totals.take({"one": gauges(3, 5.0, 0.0), "two": gauges(4, 60.0, 700.0)})

    assert list(totals.gauges.values()) == [7, 60.0, 700.0]


def test_an_hour_is_kept_with_gaps_and_its_slope_is_known() -> None:
    history = History()
    for look in range(LOOKS_MAX + 10):
        history.add(look * 5.0, {"waiting": 1000.0 - look} if look % 7 else {})

    assert len(history.points("waiting")) == LOOKS_MAX
    assert history.points("waiting", 60.0)[0][0] >= (LOOKS_MAX + 9) * 5.0 - 60.0
    slope = history.slope("waiting", 300.0)
    assert slope is not None
    assert round(slope, 6) == -0.2
    assert history.slope("nothing", 300.0) is None
    assert history.mean("waiting", 3) is not None


def test_a_series_that_began_a_moment_ago_has_no_slope_yet() -> None:
    history = History()
    for look in range(4):
        history.add(look * 5.0, {"waiting": float(look)})

    assert history.slope("waiting", 300.0) is None


@pytest.mark.parametrize("answer", ["<html>502</html>", 'ampgate_delivery_paused{x="y" 1.0', ""])
async def test_a_process_that_answers_no_metrics_ends_nothing(answer: str) -> None:
    app = Starlette(routes=[Route("/metrics", lambda _: PlainTextResponse(answer))])
    async with served(app) as url:
        console = {"edges": [], "deliveries": [url, f"{url}/nothing"]}
        figures = Figures(Config.model_validate({"console": console}))
        async with client_builder(timeout_seconds=4.0, proxy=None).build() as client:
            await figures.look(client)
            await figures.look(client)

    assert figures.looked_at is not None
    assert figures.attended() == set()
    assert figures.heard[1].trouble == "it answered 404 to /metrics"
    assert "{" not in answer or figures.heard[0].trouble == (
        "it answers something that is no metrics"
    )
