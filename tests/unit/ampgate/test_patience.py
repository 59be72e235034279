"""What Kafka refuses for a while is asked again: for a moment, and for the first group longer."""

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

from ampgate import topics
from ampgate.topics import ATTEMPTS_MAX, GROUPS_ATTEMPTS_MAX, patiently


class Coordinator:
    """Not there at so many first times."""

    def __init__(self, away_times: int) -> None:
        self.asked = 0
        self._away_times = away_times

    async def ask(self) -> int:
        self.asked += 1
        if self.asked <= self._away_times:
            raise GroupCoordinatorNotAvailableError
        return 1


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "RETRY_SECONDS", 0.0)


@pytest.mark.parametrize("attempts", [ATTEMPTS_MAX, GROUPS_ATTEMPTS_MAX])
async def test_what_is_away_for_a_while_is_asked_until_it_answers(attempts: int) -> None:
    assert await patiently(Coordinator(attempts).ask, attempts) == 1
    with pytest.raises(GroupCoordinatorNotAvailableError):
        await patiently(Coordinator(attempts + 1).ask, attempts)


async def test_what_is_refused_for_good_is_asked_once() -> None:
    asked: list[int] = []

    async def refuse() -> None:
        asked.append(1)
        raise GroupAuthorizationFailedError

    with pytest.raises(GroupAuthorizationFailedError):
        await patiently(refuse)
    assert len(asked) == 1
