"""Whatever a library raises concerns one run: the pull is started again."""

import asyncio

import pytest

from gateway.pulls.journal import Journal, Standing
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


def test_of_a_topic_that_was_deleted_nothing_is_ours() -> None:
    log = Log(CONFIG.kafka, (), ack_timeout_seconds=1.0, on_outage="")
    journal = Journal(CONFIG.kafka, log)
    pulls = Pulls(CONFIG, (), journal, log, lambda _name: CONFIG.pulls[0])
    assert pulls.owned(frozenset(), 0) == {}
