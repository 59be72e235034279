"""A pull lifts what it suppressed itself, and nothing that others did, however late."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.pulls.budget import MonthlyBudget
from gateway.pulls.fingerprints import Fingerprints
from gateway.pulls.journal import Standing
from gateway.pulls.pace import Pace
from gateway.pulls.run import Run
from gateway.pulls.standstill import Standstill
from gateway.pulls.suppressing import Suppressing
from schemas.records import RawRecord
from schemas.suppressions import Suppression, Suppressions
from tests.unit.gateway.pulls.systems import exclusions
from tests.unit.gateway.pulls.test_amplemarket_exclusions import Lists
from tests.unit.gateway.pulls.test_client import Time
from tests.unit.gateway.pulls.test_standstill import KAFKA, Kept, Noted

BY_OTHERS = msgspec.json.encode(Suppression("asked us", "2026-01-01T00:00:00.000Z", "me"))


class Topic(Kept):
    """Who is suppressed, in the order in which it was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[RawRecord] = []

    async def store_all(self, topic: str, records: Sequence[RawRecord]) -> None:
        self.said += records

    async def read(self) -> AsyncIterator[Sequence[RawRecord]]:
        yield list(self.said)

    def suppressed(self, *users: str) -> list[str]:
        known = Suppressions()
        known.read(self.said)
        return [user for user in users if known.has_key(user)]


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Fingerprints]:
    with closing(Fingerprints(tmp_path / "objects")) as fingerprints:
        yield fingerprints


async def test_who_others_suppress_while_a_run_goes_on_is_not_lifted_at_its_end(
    seen: Fingerprints,
) -> None:
    topic, lists = Topic(), Lists([{"email": f"{name}@b.c"} for name in "xyz"], [])
    run = Run(
        *("ex", 0, exclusions(), lists, Noted(), seen, topic, KAFKA.topics),
        Suppressing(topic.read, "ex"),
        MonthlyBudget(None),
        Pace(10, 1.0),
        Standstill(Time().clock),
        lambda *_: None,
    )
    standing = (await run.step(Standing(1, began=1.0))).standing
    assert (await run.step(standing)).standing.cursor is None
    lists.lists["/excluded-emails"] = [{"email": "z@b.c"}]
    standing = (await run.step(Standing(2, began=2.0))).standing
    topic.said.append(RawRecord(b"x@b.c", BY_OTHERS, ()))
    while standing.cursor is not None:
        standing = (await run.step(standing)).standing
    assert topic.suppressed("x@b.c", "y@b.c", "z@b.c") == ["x@b.c", "z@b.c"]
