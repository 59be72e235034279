"""Violations of the plan count once a record, whichever destinations come to it, and when."""

import pytest
from prometheus_client import REGISTRY

from consumers import plan_counts
from schemas.plans.plan import Violation
from tests.simulation.log import Kept

LABELS = {"source": "kafka", "event_type_known": "true", "reason": "violates_plan"}


def counted() -> float:
    return REGISTRY.get_sample_value("ampgate_plan_violations_total", LABELS) or 0.0


def count(topic: str, offsets: range) -> float:
    """How many of these are counted now."""
    before = counted()
    for offset in offsets:
        record = Kept(topic, 0, offset, b"u", b"{}", "i")
        plan_counts.count(record, Violation("violates_plan", "", "x"))
    return counted() - before


def test_what_each_of_two_regions_takes_is_counted_though_one_is_ahead() -> None:
    assert count("regions", range(0, 4000, 2)) == 2000
    assert count("regions", range(1, 4000, 2)) == 2000
    assert count("regions", range(4000)) == 0


def test_a_record_counts_once_also_for_one_that_is_far_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan_counts, "REMEMBERED_MAX", 100)
    assert count("behind", range(1000)) == 1000
    assert count("behind", range(1000)) == 0
