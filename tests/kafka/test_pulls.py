"""`ampgate pull` on a real Kafka, against the strict simulator of Amperity."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ampgate.lab.simulators.amperity import Amperity, AmperityOptions
from ampgate.lab.simulators.app import SimulatorApp, simulator_server
from schemas.records import Stored
from tests.conftest import Broker
from tests.eventually import seen
from tests.operating import Operation, operation

PROFILES = 2_500


@dataclass(frozen=True, slots=True)
class Polled:
    """A Kafka with topics of its own, and one pull of a simulated Amperity."""

    here: Operation
    model: Amperity
    url: str
    directory: Path

    def write(self, directory: Path, every: str = "1h") -> Path:
        file = self.here.write(directory)
        lines = [
            *("[pull]", 'admin_host = "127.0.0.1"', "admin_port = 0", "[[pulls]]"),
            *('name = "vip"', 'type = "amperity"', f"every = {every!r}", 'tenant = "acme"'),
            *(f"base_url = {self.url + '/api'!r}", 'token = "t"', 'index = "idx-1a2b"'),
            *('user_id = "email"', 'properties = ["ltv", "segment"]'),
        ]
        file.write_text("\n".join([file.read_text(), *lines]))
        return file

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """The command: its exit code, its output, and what it said beside."""
        process = await self.start(*arguments)
        out, said = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), said.decode()

    async def start(self, *arguments: str, every: str = "1h") -> asyncio.subprocess.Process:
        environment = os.environ | {"AMPGATE_CONFIG": str(self.write(self.directory, every))}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ampgate", "pull", *arguments),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def produced(self) -> Sequence[Stored]:
        return await self.here.stored(self.here.config.kafka.topics.user_properties)


@asynccontextmanager
async def polled_here(
    kafka: Broker, prefix: str, directory: Path, options: AmperityOptions
) -> AsyncIterator[Polled]:
    model = Amperity(options)
    app = SimulatorApp(model, time.time)
    server = simulator_server(app, host="127.0.0.1", port=0)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield Polled(await operation(kafka, prefix), model, url, directory)
    finally:
        server.should_exit = True
        await serving
        app.close()


@pytest.fixture
async def polled(kafka: Broker, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Polled]:
    async with polled_here(
        kafka, topic_prefix, tmp_path, AmperityOptions(profiles=PROFILES)
    ) as world:
        yield world


def values(records: Sequence[Stored]) -> list[dict[str, object]]:
    return [json.loads(record.value or b"") for record in records]


async def test_all_profiles_are_produced_once_and_then_only_what_changed(polled: Polled) -> None:
    status, out, said = await polled.run("--once")
    assert status == 0, said
    assert out.startswith(f"vip: {PROFILES} objects in 3 pages, {PROFILES} records")
    first = await polled.produced()
    assert len(first) == PROFILES
    sample = next(value for value in values(first) if value["user_id"] == "user7@shop.example")
    assert sample["user_properties"] == {"$set": {"ltv": 7, "segment": "vip"}}
    assert {dict(record.headers)["source"] for record in first} == {b"vip"}

    polled.model.change(7)
    status, out, said = await polled.run("--once")
    assert status == 0, said
    newest = Counter(str(value["user_id"]) for value in values(await polled.produced()))
    assert newest["user7@shop.example"] == 2
    assert newest.total() == PROFILES + 1
    assert polled.model.violations.total == 0


async def test_odd_profiles_are_dead_letters_once_and_harm_no_other(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    options = AmperityOptions(profiles=40, attributes_as_list=True)
    async with polled_here(kafka, topic_prefix, tmp_path, options) as polled:
        odd: list[object] = [
            *(None, 17, "text", [], {}, {"id": 7}, {"id": "a", "attributes": "none"}),
            {"id": "no user", "attributes": {"ltv": 1}},
            {"id": "refused", "attributes": {"email": "null", "ltv": 1}},
            {"id": "blank", "attributes": {"email": " ", "ltv": 1}},
            {"id": "deep", "attributes": {"email": "d@e.f", "ltv": nested(60)}},
            {"id": "large", "attributes": {"email": "l@e.f", "ltv": os.urandom(15_000_000).hex()}},
        ]
        for number, profile in enumerate(odd):
            polled.model.show(number, profile)
        silent = {"id": "silent", "attributes": {"email": "s@e.f", "city": "Bonn"}}
        polled.model.show(len(odd), silent)

        for _ in range(2):
            status, _, said = await polled.run("--once")
            assert status == 0, said
        assert len(await polled.produced()) == 40 - len(odd) - 1
        letters = await polled.here.stored(polled.here.config.kafka.topics.dead_letters)
        reasons = Counter(dict(letter.headers)["reason"] for letter in letters)
        assert reasons == {
            b"invalid_profile": 7,
            b"missing_id": 2,
            b"invalid_id": 1,
            b"too_deep": 1,
            b"too_large": 1,
        }


def nested(levels: int) -> object:
    return {"a": nested(levels - 1)} if levels else 1


async def test_a_cursor_that_is_not_known_any_more_starts_over_and_repeats_nothing(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    options = AmperityOptions(profiles=120, page_max=20)
    async with polled_here(kafka, topic_prefix, tmp_path, options) as polled:
        process = await polled.start()
        await seen(polled.produced, lambda records: len(records) >= 20)
        process.kill()
        await process.wait()
        polled.model.expire_cursors()

        status, _, said = await polled.run("--once")
        assert (status, "starting over" in said) == (0, True), said
        records = await polled.produced()
        insert_ids = {value["insert_id"] for value in values(records)}
        assert len(insert_ids) == 120
        assert len(records) <= 140


async def test_after_kill_9_another_process_goes_on_and_repeats_a_page_at_most(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    options = AmperityOptions(profiles=3_000, page_max=20)
    async with polled_here(kafka, topic_prefix, tmp_path, options) as polled:
        first = await polled.start()
        await seen(polled.produced, lambda records: len(records) >= 200)
        second = await polled.start()
        first.kill()
        await first.wait()
        records = await seen(
            polled.produced,
            lambda records: len({value["insert_id"] for value in values(records)}) == 3_000,
            60,
        )
        second.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(second.communicate(), 30)
        assert second.returncode == 0, said.decode()
        assert len(records) <= 3_020
        assert polled.model.violations.total == 0
        users = {str(value["user_id"]): value["user_properties"] for value in values(records)}
        wanted = {
            str(profile["email"]): {"$set": {name: profile[name] for name in ("ltv", "segment")}}
            for profile in map(polled.model.profile, range(3_000))
        }
        assert users == wanted


async def test_a_token_that_is_refused_is_said_and_the_exit_code_tells(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    options = AmperityOptions(accepted_keys=frozenset({"good"}), profiles=10)
    async with polled_here(kafka, topic_prefix, tmp_path, options) as polled:
        status, _, said = await polled.run("--once")
        assert (status, "status_401" in said) == (1, True)


async def test_a_dry_run_shows_what_would_be_produced_and_stores_nothing(polled: Polled) -> None:
    status, out, said = await polled.run("--dry-run")
    assert status == 0, said
    shown = [json.loads(line) for line in out.splitlines()]
    assert len({value["user_id"] for value in shown}) == PROFILES
    assert await polled.produced() == []
