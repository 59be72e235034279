"""What a process that pulls does at a signal, and that it says so."""

import asyncio
import signal
from asyncio.subprocess import Process
from dataclasses import replace
from pathlib import Path

from ampgate.lab.simulators.amperity import Amperity, AmperityOptions
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, seen
from tests.kafka.polling import AMPERITY, Polled, polling

PROFILES = 20


async def said_until(process: Process, words: str) -> str:
    """All that it says up to the line with these words."""
    assert process.stderr is not None
    said = ""
    while words not in said:
        line = await asyncio.wait_for(process.stderr.readline(), DEADLINE_SECONDS)
        assert line, said
        said += line.decode()
    return said


async def test_a_sighup_applies_changed_pulls_and_a_wrong_file_changes_nothing(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Amperity(AmperityOptions(profiles=PROFILES))
    async with polling(kafka, topic_prefix, tmp_path, system, AMPERITY) as polled:
        process = await polled.start()
        await seen(polled.produced, lambda found: len(found) == PROFILES)
        changed(polled, every="soon")
        process.send_signal(signal.SIGHUP)
        await said_until(process, "new configuration rejected")

        changed(polled, every="1s")
        process.send_signal(signal.SIGHUP)
        await said_until(process, "configuration reloaded")
        system.change(3)
        await seen(polled.produced, lambda found: len(found) == PROFILES + 1)

        process.send_signal(signal.SIGTERM)
        assert "SIGTERM" in await said_until(process, "stopping")
        assert (await process.communicate())[0] == b""
        assert process.returncode == 0


def changed(polled: Polled[Amperity], **keys: object) -> Path:
    return replace(polled, pull={**polled.pull, **keys}).write()
