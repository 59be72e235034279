"""How `ampgate chaos` asks Kafka for something while it breaks it."""

from collections.abc import Iterator

import pytest
from aiokafka.errors import KafkaConnectionError

from ampgate.errors import CommandError
from ampgate.lab.chaos import asking


async def test_what_fails_is_tried_until_kafka_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "RETRY_SECONDS", 0.0)
    failures: Iterator[Exception] = iter([KafkaConnectionError(), CommandError("away"), OSError()])

    async def attempt() -> int:
        if (failure := next(failures, None)) is not None:
            raise failure
        return 7

    assert await asking.until_done(attempt) == 7


async def test_what_never_works_ends_the_run_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "GIVE_UP_SECONDS", 0.0)

    async def attempt() -> None:
        raise CommandError("away")

    with pytest.raises(CommandError, match="Kafka did not do it in time"):
        await asking.until_done(attempt)
