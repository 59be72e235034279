"""What `ampgate check` says of regions that overlap, and of what they leave open."""

from typing import Any

import pytest
from pydantic import SecretStr

from ampgate.check.check import check_config
from ampgate.check.regions import concerns
from schemas.configuration.config import Config, Source
from schemas.vendors.aampe import AampeDestination

DE, US = {"country": ["DE", "FR"]}, {"country": ["US"]}


def said(*destinations: dict[str, Any]) -> list[str]:
    regions = ("europe-west3", "us-east1", "asia-southeast1")
    found = [
        AampeDestination.model_validate(
            {"name": f"r{index}", "type": "aampe", "api_key": "k", "region": regions[index], **one}
        )
        for index, one in enumerate(destinations)
    ]
    sources = (
        Source(name="web", write_key=SecretStr("1")),
        Source(name="app", write_key=SecretStr("2")),
    )
    config = Config(sources=sources, destinations=tuple(found))
    assert all(finding.ok for finding in check_config(config))
    return [concern.says for concern in concerns(config)]


OPEN = "no region gets a record without one of: "


@pytest.mark.parametrize(
    ("one", "two", "says"),
    [
        (DE, US, []),
        (DE, {"country": ["ES", "FR"]}, ['both get a record with country = "FR"']),
        (DE, {"plan": ["pro"]}, ['both get a record with country = "DE" and plan = "pro"']),
        (DE, {"country": ["US"], "plan": ["pro"]}, []),
        ({"n": [1]}, {"n": [True]}, []),
        ({"n": [1]}, {"n": [1.0]}, ["both get a record with n = 1"]),
        (DE, {"country": []}, []),
    ],
)
def test_two_regions_that_want_the_same_record_are_named_with_it(
    one: dict[str, Any], two: dict[str, Any], says: list[str]
) -> None:
    found = said({"where": one}, {"where": two})
    assert [words for words in found if words.startswith("both")] == says


def test_values_that_no_region_wants_are_said() -> None:
    assert said({"where": DE}, {"where": US}) == [f'{OPEN}country = "DE", "FR", "US"']


@pytest.mark.parametrize("destinations", [({"where": DE},), ({},)])
def test_one_region_alone_may_want_what_it_likes(destinations: tuple[dict[str, Any], ...]) -> None:
    assert said(*destinations) == []


def test_a_region_for_all_the_rest_overlaps_but_leaves_nothing_open() -> None:
    assert said({"where": DE}, {}) == ['both get a record with country = "DE"']
    assert said({}, {}) == ["both get every record"]


def test_regions_may_share_out_the_sources() -> None:
    by_source: tuple[dict[str, Any], ...] = ({"sources": ["web"]}, {"sources": ["app"]})
    assert said(*by_source) == ["no region gets the records of: kafka"]
    assert said({"sources": ["web", "kafka"]}, {"sources": ["app"]}) == []
    assert said({"sources": ["web", "kafka"]}, {"sources": ["app", "web"]}) == [
        "both get every record of the source web"
    ]
    assert said({"where": DE, "sources": ["web"]}, {"sources": ["app", "kafka"]}) == [
        f'{OPEN}country = "DE", "FR"'
    ]
