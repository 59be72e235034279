"""What a changed configuration changes for a destination that is the same as before."""

from collections.abc import Mapping

from consumers.deliveries import materials_of
from schemas.configuration.config import Config

GERMANY = {"name": "eu", "where": {"country": ["Germany"]}, "region": "europe-west3"}
REST = {"name": "us", "region": "us-east1"}


def config(*destinations: Mapping[str, object]) -> Config:
    ours = [{"type": "aampe", "api_key": "k", **one} for one in destinations]
    other = {"type": "amplitude", "api_key": "k", "name": "amplitude"}
    return Config.model_validate({"destinations": [*ours, other]})


def test_who_skips_records_is_begun_anew_when_another_one_of_its_type_wants_others() -> None:
    """A record that it skips is another region's only since then."""
    alone, both = config(GERMANY), config(GERMANY, REST)
    eu, us = both.destinations[:2]
    assert alone.destinations[0] == eu
    assert materials_of(eu, alone) != materials_of(eu, both)
    assert materials_of(eu, both) == materials_of(eu, config(REST, GERMANY))
    assert materials_of(us, both) == materials_of(us, config(REST))
