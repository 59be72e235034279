"""The overview of what processes report: readable with a hundred destinations, and without any."""

from collections.abc import Mapping

import pytest

from ampgate.console.figures.exposition import Sample
from ampgate.console.figures.figures import Figures, readable
from ampgate.console.figures.names import EDGE_RECORDS, PAUSED, PAUSED_SINCE, RECORDS, WAITING
from ampgate.console.figures.processes import Heard, Place, one_family, places_of
from ampgate.console.pages.destination import requests_of
from ampgate.console.pages.overview import overview_of
from ampgate.console.rendering import rendered
from schemas.configuration.config import Config

NOW = 1_795_690_800.0


def config(count: int, **more: object) -> Config:
    names = [f"d{number:02d}" for number in range(count)]
    destinations = [{"name": name, "type": "amplitude", "api_key": "k"} for name in names]
    return Config.model_validate({"destinations": destinations, **more})


def sample(name: str, value: float, **labels: str) -> Sample:
    return Sample(name, tuple(sorted(labels.items())), value)


def shown(found: Mapping[str, object], trouble: str | None = None) -> str:
    frame = {"kafka_trouble": trouble, "kafka_since": NOW, "servers": "kafka:9092"}
    return rendered("overview_part.html", {**frame, **found})


def seen(figures: Figures, delivered: float, at: float) -> None:
    """One look at a delivery that serves all destinations, of which the third is paused."""
    found = [sample(EDGE_RECORDS, delivered, source="shop", kind="event", outcome="accepted")]
    for one in figures.config.destinations:
        is_third = one.name == "d02"
        found += [
            sample(WAITING, 40.0 * is_third, destination=one.name, reason="held"),
            sample(RECORDS, delivered, destination=one.name, kind="event", outcome="delivered"),
        ]
    found.append(sample(PAUSED, 1.0, destination="d02", reason="status_403"))
    found.append(sample(PAUSED_SINCE, NOW - 60, destination="d02"))
    figures.heard = [Heard(Place("delivery", "http://x"), "x", "there is a text")]
    figures.totals.take({"x": found})
    figures.remember(at)
    figures.looked_at = at


def test_of_a_hundred_destinations_the_one_with_trouble_is_seen_first() -> None:
    figures = Figures(config(100))
    for look in range(4):
        seen(figures, 500.0 * look, NOW + 5.0 * look)
    found = overview_of(figures, NOW + 15)
    html = shown(found)

    assert html.count('class="card row') == 1
    assert "Paused: Amplitude answered 403 since <time" in html
    assert "Check the API key." in html
    assert "1 of 100 destinations needs attention." in html
    assert html.count('<li><a href="/destinations/') == 99
    assert "100/s" in html


@pytest.mark.parametrize("count", [0, 1])
def test_before_the_first_look_nothing_is_claimed(count: int) -> None:
    html = shown(overview_of(Figures(config(count)), NOW))

    assert "Asking the processes" in html
    assert "No delivery process could be asked." in html or not count


def test_a_process_that_is_away_is_named_with_what_to_do() -> None:
    figures = Figures(config(1))
    place = Place("delivery", "http://delivery:9090")
    figures.heard = [Heard(place, "10.0.0.7:9090", None, "Connection refused")]
    html = shown(overview_of(figures, NOW))

    assert "10.0.0.7:9090" in html
    assert "does not answer: Connection refused" in html
    assert "console.deliveries" in html


def test_processes_are_this_machines_unless_they_are_named() -> None:
    here = config(0, edge={"port": 8080, "admin_port": 8081})
    named = config(
        0, console={"edges": ["http://edge:8081"], "deliveries": [], "pulls": ["http://pull:9092"]}
    )

    assert [one.url for one in places_of(here)] == [
        *("http://127.0.0.1:8081", "http://127.0.0.1:9090")
    ]
    assert [one.url for one in places_of(named)] == ["http://edge:8081"]


def test_a_process_with_two_addresses_is_asked_once() -> None:
    assert one_family({"::1", "127.0.0.1"}) == ["127.0.0.1"]
    assert one_family({"10.0.0.2", "10.0.0.1", "fd00::1", "fd00::2"}) == ["10.0.0.1", "10.0.0.2"]
    assert one_family({"fd00::2", "fd00::1"}) == ["fd00::1", "fd00::2"]


def test_what_a_process_of_another_version_says_differently_hides_nothing_else() -> None:
    figures = Figures(config(1))
    text = """\
ampgate_edge_records_total{source="shop"} 7.0
ampgate_edge_records_total{source="shop",kind="dreams",outcome="accepted"} 7.0
ampgate_edge_records_total{source="shop",kind="event",outcome="accepted"} 7.0
ampgate_delivery_records_total{kind="event",outcome="delivered"} 7.0
ampgate_delivery_requests_total{destination="d00"} 7.0
ampgate_delivery_waiting_records{reason="held"} 7.0
ampgate_delivery_waiting_records{destination="d00",reason="held"} 7.0
ampgate_delivery_oldest_waiting_seconds{destination="d00"} NaN
ampgate_pull_runs_total 7.0
"""
    heard = [Heard(Place("delivery", "http://x"), "x", text)]
    for at in (NOW, NOW + 5):
        figures.heard, found = readable(heard)
        figures.totals.take(found)
        figures.remember(at)
    html = shown(overview_of(figures, NOW + 5))

    assert "7 records wait" in html
    assert requests_of(figures, "d00") == []


def test_an_outage_of_kafka_is_in_the_part_that_renews_itself() -> None:
    """Whoever had the page open when it began would else not see it."""
    assert "cannot be read" not in shown(overview_of(Figures(config(1)), NOW))
    html = shown(overview_of(Figures(config(1)), NOW), "Kafka does not answer")
    assert "Kafka at kafka:9092 cannot be read" in html
