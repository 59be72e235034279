"""Segment's own cases: where we are unlike, we say so; and the page says what the table says."""

import pytest

from tests.unit.gateway.dialects.segment_comparison import CASES, read_cases, unlike
from tests.unit.gateway.dialects.segment_verdicts import (
    NOT_APPLICABLE,
    PAGE,
    TOTAL,
    different,
    is_applicable,
    page,
)

CASES_THERE = pytest.mark.skipif(not CASES.exists(), reason="Segment's cases are not here")


@CASES_THERE
@pytest.mark.parametrize("number", [case for case in range(TOTAL) if is_applicable(case)])
def test_a_case_is_unlike_only_where_the_table_says_so(number: int) -> None:
    found = unlike(read_cases()[f"segment-amplitude-{number:03}"])
    differences = different(number)
    declared = frozenset[str]().union(*(difference.members for difference in differences))

    assert found <= declared
    for difference in differences:
        assert found & difference.members, f"no longer so: {difference.reason}"


@CASES_THERE
def test_every_case_has_its_verdict() -> None:
    assert list(read_cases()) == [f"segment-amplitude-{case:03}" for case in range(TOTAL)]


def test_no_case_has_two_verdicts() -> None:
    others = [case for cases in NOT_APPLICABLE.values() for case in cases]
    assert len(others) == len(set(others))
    assert not [case for case in others if different(case)]


def test_the_page_says_what_the_table_says() -> None:
    assert PAGE.read_text() == page()
