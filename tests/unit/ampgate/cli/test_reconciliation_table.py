"""The table of a reconciliation, whatever its event types are called."""

import pytest

from ampgate.cli.reconciling import table_of
from ampgate.reconcile.comparison import Outcome


@pytest.mark.parametrize("name", ["Sign Up", "购买", "x" * 1_000, "a\tb\x1b[31m"])
def test_no_name_of_an_event_moves_the_numbers(name: str) -> None:
    outcome = Outcome(name, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    head, *rows = table_of([outcome, outcome]).splitlines()

    at = head.index("  event type")
    assert at == len(head) - len("  event type")
    assert {row[at : at + 2] for row in rows} == {"  "}
    assert [row[:at].split() for row in rows[:2]] == [list("1234567")] * 2
