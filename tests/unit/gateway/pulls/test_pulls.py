"""Whatever a library raises, or keeps to itself, a pull is started again, and ends when told to."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from aiokafka import TopicPartition

from gateway.pulls.journal import Journal, Standing, read_standing
from gateway.pulls.pulls import Pulls
from schemas.configuration.config import Config
from schemas.kafka.log import Log
from tests.eventually import DEADLINE_SECONDS

CONFIG = Config.model_validate(
    {
        "pulls": [
            {
                "name": "ex",
                "type": "amplemarket-exclusions",
                "api_key": "k",
                "every": "1h",
                "base_url": "http://127.0.0.1:9",
            }
        ]
    }
)


class Failing(Journal):
    """Raises this instead of reading."""

    def __init__(self, error: BaseException) -> None:
        log = Log(CONFIG.kafka, (), ack_timeout_seconds=1.0, on_outage="")
        super().__init__(CONFIG.kafka, log)
        self._error = error
        self.asked = 0
        self.asked_again = asyncio.Event()

    async def standing(self, pull: str, partition: int) -> Standing | None:
        self.asked += 1
        if self.asked > 1:
            self.asked_again.set()
        raise self._error


@pytest.mark.parametrize("error", [asyncio.CancelledError(), OSError(), ValueError("odd")])
async def test_a_pull_is_started_again_after_any_error_of_a_library(error: BaseException) -> None:
    journal = Failing(error)
    log = Log(CONFIG.kafka, (), ack_timeout_seconds=1.0, on_outage="")
    pulls = Pulls(CONFIG, (), journal, log, lambda _name: CONFIG.pulls[0])
    await pulls.start(frozenset(range(12)), 12)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await journal.asked_again.wait()
    finally:
        await pulls.stop()
    assert journal.asked > 1


class Closing:
    """A consumer of empty partitions that is being closed, as aiokafka does it."""

    begun: asyncio.Event

    def __init__(self, **_arguments: object) -> None:
        pass

    async def start(self) -> None:
        pass

    def assign(self, places: Sequence[TopicPartition]) -> None:
        pass

    async def beginning_offsets(
        self, places: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    end_offsets = beginning_offsets

    def seek(self, place: TopicPartition, offset: int) -> None:
        pass

    async def position(self, place: TopicPartition) -> int:
        return 0

    async def stop(self) -> None:
        self.begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()


async def test_a_pull_ends_where_a_library_keeps_its_cancellation_to_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.pulls.journal.Consumer", Closing)
    monkeypatch.setattr(Closing, "begun", asyncio.Event(), raising=False)
    log = Log(CONFIG.kafka, (), ack_timeout_seconds=1.0, on_outage="")
    pulls = Pulls(CONFIG, (), Journal(CONFIG.kafka, log), log, lambda _name: CONFIG.pulls[0])
    await pulls.start(frozenset(range(12)), 12)
    await Closing.begun.wait()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await pulls.stop()
    assert pulls.schedules == {}


def test_of_a_topic_that_was_deleted_nothing_is_ours() -> None:
    log = Log(CONFIG.kafka, (), ack_timeout_seconds=1.0, on_outage="")
    journal = Journal(CONFIG.kafka, log)
    pulls = Pulls(CONFIG, (), journal, log, lambda _name: CONFIG.pulls[0])
    assert pulls.owned(frozenset(), 0) == {}


@pytest.mark.parametrize("member", ['"asked":[[%s,1]]', '"asked":[[1,%s]]', '"spent":%s'])
@pytest.mark.parametrize("number", ["-1", "9" * 20, "9" * 400])
def test_a_cursor_with_a_number_that_is_none_of_ours_is_none(member: str, number: str) -> None:
    """It would raise where it is counted with, each time that the pull begins."""
    assert read_standing(('{"run":1,' + member % number + "}").encode()) is None
    assert read_standing(('{"run":1,' + member % 7 + "}").encode()) is not None
