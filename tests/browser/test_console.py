"""The console in a browser, before a real edge, a real delivery and strict simulators."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.conftest import Broker
from tests.kafka.edge_process import KEY, EdgeProcess, running
from tests.operating import operation, set_faults, simulating

DEADLINE_MS = 60_000
DELIVERY = """
[delivery]
admin_host = "127.0.0.1"
admin_port = {port}

[[destinations]]
name = "amplitude-us"
type = "amplitude"
api_key = "k"
base_url = "{amplitude}"

[[destinations]]
name = "aampe-us"
type = "aampe"
region = "us-east1"
api_key = "k"
base_url = "{aampe}"
"""
expect.set_options(timeout=DEADLINE_MS)


@dataclass(frozen=True, slots=True)
class World:
    edge: EdgeProcess
    delivery: str  # Its admin port's URL.
    amplitude: str

    async def send(self, *users: str, path: str = "/v1/events") -> None:
        events = [{"event_type": "Bought", "user_id": user} for user in users]
        async with self.edge.client() as client:
            await client.post(path, json=events, headers=KEY)


@pytest.fixture
async def console_page(page: Page) -> AsyncIterator[Page]:
    """It fails the test if anything on it does."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text))
    yield page
    # The browser itself says so of a delivery that is away, or not ready.
    expected = ("net::ERR_CONNECTION_REFUSED", "status of 503")
    assert [one for one in errors if not any(words in one for words in expected)] == []


@pytest.fixture
async def world(
    kafka: Broker, topic_prefix: str, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> AsyncIterator[World]:
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        await operation(kafka, topic_prefix, amplitude, aampe)  # It creates the topics.
        port, admin_port = unused_tcp_port_factory(), unused_tcp_port_factory()
        more = DELIVERY.format(port=admin_port, amplitude=amplitude, aampe=aampe)
        servers = kafka.bootstrap_servers
        async with running(tmp_path, servers, topic_prefix, port, more=more) as edge:
            yield World(edge, f"http://127.0.0.1:{admin_port}", amplitude)


@asynccontextmanager
async def delivering(world: World) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ampgate", "deliver"),
        env=os.environ | {"AMPGATE_CONFIG": str(world.edge.file)},
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def expect_row(page: Page, body: str, *cells: str | re.Pattern[str]) -> None:
    """A row that begins with these cells."""
    row = page.locator(f"#{body} tr").filter(has=page.locator("th", has_text=cells[0]))
    for index, text in enumerate(cells):
        await expect(row.locator("th, td").nth(index)).to_have_text(text)


async def test_its_numbers_move_with_the_traffic(console_page: Page, world: World) -> None:
    page, rate = console_page, re.compile(r"[\d.]+")
    await page.goto(f"{world.edge.url}/console?delivery={world.delivery}")
    await expect(page.locator("#kafka")).to_have_text("Kafka: takes writes")
    await expect(page.locator("#delivery")).to_have_text("delivery: not reachable")

    async with delivering(world):
        await expect(page.locator("#delivery")).to_have_text("delivery: ready")
        await world.send("ann", "bob", "")
        await expect_row(page, "sources", "shop", rate, rate, "2", "1")
        await expect_row(page, "dialects", "native", "202", rate, "1")
        await expect_row(page, "destinations", "amplitude-us", "delivering", rate, "2", "0")
        await world.send("ann", "bob", "cleo")
        await expect_row(page, "sources", "shop", rate, rate, "5", "1")
        await expect(page.locator("#accepted")).to_have_text(re.compile(r"[1-9]"))
        await expect_row(page, "destinations", "aampe-us", "delivering", rate, "5", "0", "0", "0")
        shown = await page.content()
    assert not {one for one in ("ann", "bob", "cleo", "secret") if one in shown}


async def test_it_says_why_a_destination_is_paused_and_what_waits(
    console_page: Page, world: World
) -> None:
    page = console_page
    await set_faults(world.amplitude, {"effect": {"kind": "answer", "status": 401}})
    await page.goto(f"{world.edge.url}/console?delivery={world.delivery}")
    async with delivering(world):
        await world.send("ann")
        await expect(page.locator("#delivery")).to_have_text("delivery: paused")
        await expect_row(page, "destinations", "amplitude-us", "paused: status_401")
        row = page.locator("#destinations tr").filter(has_text="amplitude-us")
        # One waits: unread, in flight while it probes, or held until the next probe.
        ones = row.locator("td").filter(has_text=re.compile(r"^\s*1\s*$"))
        await expect(ones).not_to_have_count(0)
        await expect(row.locator("td").nth(10)).to_have_text(re.compile(r"\d (s|min)"))


async def test_it_asks_for_the_delivery_that_it_was_not_told_of(
    console_page: Page, world: World
) -> None:
    await console_page.goto(f"{world.edge.url}/console")
    await console_page.get_by_label("URL").fill(world.delivery)
    await console_page.get_by_role("button", name="Show").click()
    await expect(console_page.locator("#delivery")).to_have_text("delivery: not reachable")
    await expect(console_page.locator("#kafka")).to_have_text("Kafka: takes writes")
