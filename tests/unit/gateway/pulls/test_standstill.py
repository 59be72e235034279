"""A process that stood still writes nothing: its pull may be another one's by now."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gateway.pulls.budget import MonthlyBudget
from gateway.pulls.fingerprints import Fingerprints
from gateway.pulls.journal import Journal, Standing
from gateway.pulls.pace import Pace
from gateway.pulls.pull import Answer
from gateway.pulls.run import Run
from gateway.pulls.standstill import SECONDS_MAX, Standstill, StoodStillError
from gateway.pulls.suppressing import Suppressing
from schemas.configuration.config import Kafka
from schemas.kafka.log import Log
from schemas.records import Appendable, NewRecord, RawRecord
from tests.unit.gateway.pulls.systems import Answering, profiles
from tests.unit.gateway.pulls.test_client import Time

PAGE = Answer(200, {}, b'{"data":[{"id":"a","attributes":{"email":"a@b.c","ltv":1}}]}')
KAFKA = Kafka.model_validate({"bootstrap_servers": "127.0.0.1:9"})


class Kept:
    """Kafka, as far as a run writes to it."""

    def __init__(self) -> None:
        self.records = 0

    async def append(self, topic: str, records: Sequence[NewRecord]) -> None:
        self.records += len(records)

    async def store_all(self, topic: str, records: Sequence[RawRecord]) -> None:
        self.records += len(records)

    def fits(self, topic: str, record: Appendable) -> bool:
        return True


class Noted(Journal):
    """What a run remembers."""

    def __init__(self) -> None:
        super().__init__(KAFKA, Log(KAFKA, (), ack_timeout_seconds=1.0, on_outage=""))
        self.notes = 0

    async def note(self, pull: str, partition: int, standing: Standing) -> None:
        self.notes += 1

    async def remember(
        self, pull: str, partition: int, objects: Iterable[tuple[str, bytes | None]]
    ) -> None:
        pass


class Slow(Answering):
    """Its answers take so many seconds."""

    def __init__(self, time: Time, seconds: float) -> None:
        super().__init__(PAGE)
        self._time, self._seconds = time, seconds

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Answer:
        self._time.now += self._seconds
        return await super().get(path, query)


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Fingerprints]:
    with closing(Fingerprints(tmp_path / "objects")) as fingerprints:
        yield fingerprints


def a_run(seconds: float, journal: Noted, seen: Fingerprints, store: Kept) -> Run:
    """Each answer takes so many seconds."""
    time = Time()
    return Run(
        *("p", 0, profiles(), Slow(time, seconds), journal, seen, store, KAFKA.topics),
        Suppressing(journal.suppressions, "p"),
        MonthlyBudget(None),
        Pace(10, 1.0),
        Standstill(time.clock),
        lambda *_: None,
    )


@pytest.mark.parametrize("seconds", [0.0, SECONDS_MAX])
async def test_a_page_that_takes_its_time_is_written(seconds: float, seen: Fingerprints) -> None:
    journal, store = Noted(), Kept()
    run = a_run(seconds, journal, seen, store)
    await run.step(Standing(1, began=1.0))
    assert (store.records, journal.notes) == (1, 1)


async def test_after_a_standstill_neither_this_page_nor_another_one_is_written(
    seen: Fingerprints,
) -> None:
    journal, store = Noted(), Kept()
    run = a_run(SECONDS_MAX + 1, journal, seen, store)
    for _ in range(2):
        with pytest.raises(StoodStillError):
            await run.step(Standing(1, began=1.0))
    assert (store.records, journal.notes) == (0, 0)
