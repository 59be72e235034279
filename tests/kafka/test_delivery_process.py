"""The delivery as a process: what a signal changes."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.eventually import DEADLINE_SECONDS
from tests.kafka.delivery_world import World, event


def toml(world: World, *destinations: str) -> str:
    kafka = world.config.kafka
    head = f'kafka = {{ bootstrap_servers = "{kafka.bootstrap_servers}", '
    head += f'topic_prefix = "{kafka.topic_prefix}" }}\ndelivery = {{ admin_port = 0 }}\n'
    sections = {
        "amplitude": 'type = "amplitude"\nname = "amplitude-us"',
        "aampe": 'type = "aampe"\nname = "aampe-us"\nregion = "us-east1"',
    }
    return head + "".join(
        f'[[destinations]]\n{sections[kind]}\napi_key = "k"\nbase_url = "{world.urls[kind]}"\n'
        for kind in destinations
    )


@asynccontextmanager
async def delivering(file: Path) -> AsyncIterator[Process]:
    environment = os.environ | {"AMPGATE_CONFIG": str(file)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ampgate", "deliver", env=environment, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: Process, words: str) -> str:
    """The first line from here on that says these words."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for line in process.stderr:
            if words in line.decode():
                return line.decode()
    raise AssertionError(f"it ended before it said {words!r}")


async def ended(process: Process) -> int | None:
    """Its exit code; what else it says is read, so that it waits for nobody."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        await process.communicate()
    return process.returncode


async def test_sighup_applies_destinations_and_a_bad_file_changes_nothing(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "ampgate.toml"
    file.write_text(toml(world, "amplitude"))
    topic = world.config.kafka.topics.events
    await world.produce(topic, [event(1, n) for n in range(10)])
    async with delivering(file) as process:
        await world.until_accepted("amplitude", 10)
        file.write_text("[[destinations]]\nname = 1")
        process.send_signal(signal.SIGHUP)
        assert "destinations.0" in await said(process, "new configuration rejected")
        file.write_text(toml(world, "amplitude", "aampe"))
        process.send_signal(signal.SIGHUP)
        await world.until_accepted("aampe", 10)
        file.write_text(toml(world, "aampe"))
        process.send_signal(signal.SIGHUP)
        await said(process, "configuration reloaded")
        await said(process, "configuration reloaded")
        await world.produce(topic, [event(1, n) for n in range(10, 20)])
        await world.until_accepted("aampe", 20)
        process.terminate()
        assert await ended(process) == 0
    assert (await world.stats("amplitude"))["accepted"] == 10


WRONG = [
    'base_url = "http://127.0.0.1:99999"',
    'base_url = "http://user:password@127.0.0.1"',
    'base_url = "http://a..b"',
    "timeout_seconds = nan",
    "timeout_seconds = -1",
    'where = { "a\\"b" = ["x"] }',
    "where = { country = [inf] }",
    "region = " + "[" * 3000,
    'sources = ["nobody"]',
    'api_key = "k"',
    "gzip = \u0000",
]


async def test_sighup_with_any_wrong_value_changes_nothing_and_says_so(
    world: World, tmp_path: Path
) -> None:
    good = toml(world, "amplitude")
    bare = good.rpartition("base_url")[0]
    file = tmp_path / "ampgate.toml"
    file.write_text(good)
    topic = world.config.kafka.topics.events
    await world.produce(topic, [event(1, n) for n in range(5)])
    async with delivering(file) as process:
        await world.until_accepted("amplitude", 5)
        for line in WRONG:
            file.write_text(f"{bare}\n{line}\n")
            process.send_signal(signal.SIGHUP)
            await said(process, "new configuration rejected, keeping the former one")
        file.unlink()
        process.send_signal(signal.SIGHUP)
        await said(process, "there is no such file")
        await world.produce(topic, [event(1, n) for n in range(5, 10)])
        await world.until_accepted("amplitude", 10)
        file.write_text(toml(world, "aampe"))
        process.send_signal(signal.SIGHUP)
        await world.until_accepted("aampe", 10)
        process.terminate()
        assert await ended(process) == 0


async def test_a_proxy_that_cannot_be_used_is_a_configuration_error_at_start(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "ftp://proxy")
    file = tmp_path / "ampgate.toml"
    file.write_text(toml(world, "amplitude"))
    async with delivering(file) as process:
        assert "ALL_PROXY" in await said(process, "ampgate: ")
        assert await ended(process) == 2
