"""The read client against the strict simulator: within its budget, and clear when refused."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ampgate.amplitude_read.budget import Budget
from ampgate.amplitude_read.client import ReadClient, read_client
from ampgate.amplitude_read.exchange import Asked
from ampgate.amplitude_read.spending import SEARCHES, Pool
from ampgate.errors import CommandError
from schemas.configuration.config import ConfigError
from schemas.vendors.amplitude import AmplitudeDestination
from tests.operating import HERE, set_faults, simulating

LIST = Asked("/api/2/events/list")


def destination(url: str, **keys: object) -> AmplitudeDestination:
    return AmplitudeDestination.model_validate(
        {"name": "a", "type": "amplitude", "api_key": "k", "secret_key": "s", "read_url": url}
        | keys
    )


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with simulating("amplitude", accepted_keys=frozenset({"k"})) as url:
        yield url


@pytest.fixture
async def client(url: str, tmp_path: Path) -> AsyncIterator[ReadClient]:
    async with read_client(destination(url), tmp_path) as client:
        yield client


async def test_a_429_is_waited_for_as_it_says(url: str, client: ReadClient) -> None:
    busy = {"kind": "answer", "status": 429, "headers": {"retry-after": "0"}}
    await set_faults(url, {"times": 2, "effect": busy})

    assert await client.json(LIST) == {"data": []}


async def test_keys_that_are_refused_are_told_in_one_sentence(url: str, tmp_path: Path) -> None:
    async with read_client(destination(url, api_key="other"), tmp_path) as client:
        with pytest.raises(CommandError, match="refuses the keys of a: correct its api_key"):
            await client.json(LIST)


async def test_what_is_no_json_is_told(url: str, client: ReadClient) -> None:
    await set_faults(url, {"effect": {"kind": "html", "status": 200}})
    with pytest.raises(CommandError, match="/api/2/events/list is not answered by JSON"):
        await client.json(LIST)


async def test_words_of_amplitude_are_passed_on(client: ReadClient) -> None:
    with pytest.raises(CommandError, match=r"status 400 \(start and end must be hours"):
        await client.ask(Asked("/api/2/export"))


async def test_without_a_secret_key_nothing_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a has no secret_key"):
        async with read_client(destination(HERE, secret_key=None), tmp_path):
            raise AssertionError("it opened")


async def test_an_address_where_nobody_is_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    async with read_client(destination(HERE), tmp_path, said.append) as client:
        client._sleep = lambda _: asyncio.sleep(0)
        with pytest.raises(CommandError, match="no answer"):
            await client.json(LIST)
    assert len(said) == 3


async def test_two_processes_share_a_budget_through_its_file(tmp_path: Path) -> None:
    pool = Pool("pool", ((3, 60),), at_once=1)
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        raise TimeoutError

    budgets = [Budget("account", tmp_path, clock=lambda: 1e6, sleep=sleep) for _ in range(2)]
    for budget in (budgets[0], budgets[1], budgets[0]):
        async with budget.spent(pool):
            pass
    with pytest.raises(TimeoutError):
        async with budgets[1].spent(pool):
            raise AssertionError("it began")
    assert waited == [61.0]


async def test_a_budget_whose_file_is_damaged_or_cannot_be_kept_goes_on(tmp_path: Path) -> None:
    budget = Budget("account", tmp_path)
    async with budget.spent(SEARCHES):
        pass
    file = budget._file
    file.write_bytes(b'{"searches":[[1,')
    async with budget.spent(SEARCHES):
        pass
    assert file.stat().st_mode & 0o777 == 0o600

    nowhere = Budget("account", Path(os.devnull) / "dir")
    async with nowhere.spent(SEARCHES):
        pass


async def test_a_budget_that_fits_no_disk_is_counted_in_the_process(tmp_path: Path) -> None:
    budget = Budget("account", tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        async with budget.spent(SEARCHES):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert budget._file.read_bytes() == b""


async def test_no_more_requests_go_at_once_than_are_allowed(tmp_path: Path) -> None:
    budget = Budget("account", tmp_path)
    pool = Pool("pool", ((100, 60),), at_once=2)
    going, most = 0, 0

    async def ask() -> None:
        nonlocal going, most
        async with budget.spent(pool):
            going += 1
            most = max(most, going)
            await asyncio.sleep(0)
            going -= 1

    await asyncio.gather(*(ask() for _ in range(10)))
    assert most == 2
