"""`ampgate check` tells whether plans and functions can be used here."""

from pathlib import Path

import pytest

from ampgate.check.destinations import check_changes, check_plans
from schemas.configuration.config import Config

FUNCTIONS = "tests.unit.consumers.destinations.shaping.functions_of_users"


def configured(plan: Path, **keys: object) -> Config:
    destination = {"type": "amplitude", "name": "us", "api_key": "k", **keys}
    source = {"name": "web", "write_key": "k", "plan": str(plan)}
    return Config.model_validate({"sources": [source], "destinations": [destination]})


@pytest.mark.parametrize(
    ("function", "is_ok"), [(f"{FUNCTIONS}:same", True), ("no_such_shop.mapping:f", False)]
)
def test_a_function_is_tried(tmp_path: Path, function: str, is_ok: bool) -> None:
    config = configured(tmp_path / "plan.json", transform=function)
    (found,) = check_changes(config, config.destinations[0])
    assert (found.subject, found.ok) == ("us", is_ok)


def test_a_plan_is_read_and_each_mistake_is_a_finding(tmp_path: Path) -> None:
    (plan := tmp_path / "plan.json").write_text('{"events": {"a": {"typ": 1}, "b": {"typ": 1}}}')
    config = configured(plan, drop_classified=["PII"])
    found = list(check_plans(config))
    assert [(one.subject, one.ok) for one in found] == [("source web", False)] * 2
    assert not next(check_changes(config, config.destinations[0])).ok

    plan.write_text('{"events": {"a": {"properties": {"m": {"x-classifications": ["PII"]}}}}}')
    assert [one.ok for one in check_plans(config)] == [True]
    (dropped,) = check_changes(config, config.destinations[0])
    assert dropped.says == "drop_classified drops 1 properties"
