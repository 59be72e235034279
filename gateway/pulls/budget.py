"""What an API allows in a month: counted where the pull's cursor is, before it is used."""

from datetime import UTC, datetime

from msgspec.structs import replace

from gateway.pulls.journal import Standing
from gateway.pulls.pull import RefusedError

SPENT = "monthly_budget"  # Why a pull is paused then.


class MonthlyBudget:
    def __init__(self, allowed: int | None) -> None:
        self._allowed = allowed  # None: there is no such limit.

    def require(self, standing: Standing, count: int, now: float) -> None:
        """`RefusedError` if so many more are not allowed this month."""
        if self._allowed is not None and _spent(standing, now) + count > self._allowed:
            raise RefusedError(SPENT)

    def after(self, standing: Standing, count: int, now: float) -> Standing:
        """So many are used; `RefusedError` if that is not allowed."""
        if not count:
            return standing
        self.require(standing, count, now)
        return replace(standing, month=_month(now), spent=_spent(standing, now) + count)


def _spent(standing: Standing, now: float) -> int:
    return standing.spent if standing.month == _month(now) else 0


def _month(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m")
