"""So many downloads a month, whatever a run needs, and as many again in the next month."""

from datetime import UTC, datetime

import pytest

from gateway.pulls.budget import MonthlyBudget
from gateway.pulls.journal import Standing
from gateway.pulls.owned import monthly_share_of
from gateway.pulls.pull import RefusedError
from schemas.vendors.amperity import AmperityPull
from schemas.vendors.amplitude import AmplitudeCohortPull

LAST = datetime(2026, 11, 30, 23, 59, tzinfo=UTC).timestamp()
NEXT = datetime(2026, 12, 1, 0, 0, tzinfo=UTC).timestamp()


def test_what_a_month_allows_is_used_and_no_more_until_the_next() -> None:
    budget, standing = MonthlyBudget(3), Standing(run=1, began=LAST)
    for _ in range(3):
        budget.require(standing, 1, LAST)
        standing = budget.after(standing, 1, LAST)
    assert (standing.month, standing.spent) == ("2026-11", 3)
    with pytest.raises(RefusedError, match="monthly_budget"):
        budget.require(standing, 1, LAST)
    with pytest.raises(RefusedError, match="monthly_budget"):
        budget.after(standing, 1, LAST)
    assert budget.after(standing, 0, LAST) == standing
    assert budget.after(standing, 1, NEXT).spent == 1


def test_a_new_run_keeps_what_was_used() -> None:
    standing = MonthlyBudget(3).after(Standing(run=1, cursor="c", began=1.0), 1, LAST)
    anew = standing.begun_anew(2, LAST)
    assert (anew.run, anew.cursor, anew.finished, anew.spent) == (2, None, None, 1)


def test_pulls_of_one_account_divide_it() -> None:
    given = {"type": "amplitude-cohort", "api_key": "k", "secret_key": "s", "every": "2h"}
    pulls = [
        AmplitudeCohortPull.model_validate(given | {"name": name, "cohort": name, "property": "p"})
        for name in ("a", "b")
    ]
    given = {"type": "amperity", "tenant": "t", "token": "t", "index": "i", "user_id": "u"}
    other = AmperityPull.model_validate(given | {"name": "c", "every": "2h"})
    assert [monthly_share_of(one, [*pulls, other]) for one in (*pulls, other)] == [250, 250, None]
