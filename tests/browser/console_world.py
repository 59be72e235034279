"""A whole gateway with its console: real Kafka, edge, delivery, console, strict simulators."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page

from ampgate.lab.kafka.ports import free_ports
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.edge_process import KEY, EdgeProcess, running
from tests.kafka.processes import until_answers
from tests.operating import operation, simulating

OPERATOR, VIEWER = "the-operators-token", "the-viewers-token"
MORE = """
[delivery]
admin_host = "127.0.0.1"
admin_port = {delivery}

[console]
port = {console}
token = "{operator}"
viewer_token = "{viewer}"

[[destinations]]
name = "amplitude-us"
type = "amplitude"
api_key = "a-secret-of-amplitude"
base_url = "{amplitude}"

[[destinations]]
name = "aampe-us"
type = "aampe"
region = "us-east1"
api_key = "a-secret-of-aampe"
base_url = "{aampe}"
"""


@dataclass(frozen=True, slots=True)
class World:
    edge: EdgeProcess
    url: str  # The console's.
    amplitude: str
    aampe: str
    browser: Browser

    async def send(self, *events: Mapping[str, object]) -> None:
        async with self.edge.client() as client:
            answer = await client.post("/v1/events", json=list(events), headers=KEY)
        assert answer.status_code in (202, 422), answer.text

    @asynccontextmanager
    async def signed_in(self, token: str = OPERATOR, **more: object) -> AsyncIterator[Page]:
        """A page in a profile of its own; it fails the test if anything on it does."""
        context = await self.browser.new_context(**more)  # type: ignore[arg-type]
        page = await context.new_page()
        page.set_default_timeout(DEADLINE_SECONDS * 1000)
        errors: list[str] = []
        hosts: set[str] = set()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text))
        page.on("request", lambda asked: hosts.add(asked.url.partition("//")[2].partition("/")[0]))
        try:
            await page.goto(f"{self.url}/sign-in?token={token}")
            await page.wait_for_url(f"{self.url}/")
            yield page
        finally:
            await context.close()
        assert not errors, errors
        assert hosts == {self.url.removeprefix("http://")}, hosts


@asynccontextmanager
async def process(file: Path, *arguments: str) -> AsyncIterator[None]:
    """A command, killed at the end; what it logs is in a file."""
    with file.with_suffix(f".{arguments[0]}.log").open("wb") as output:
        started = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ampgate", *arguments),
            env=os.environ | {"AMPGATE_CONFIG": str(file)},
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            started.kill()
            await started.wait()


@asynccontextmanager
async def world_of(kafka: Broker, directory: Path, browser: Browser) -> AsyncIterator[World]:
    prefix = f"t-{uuid.uuid4().hex[:12]}."
    edge_port, delivery_port, console_port = free_ports(3)
    async with AsyncExitStack() as stack:
        amplitude = await stack.enter_async_context(simulating("amplitude"))
        aampe = await stack.enter_async_context(simulating("aampe"))
        await operation(kafka, prefix, amplitude, aampe)  # It creates the topics.
        more = MORE.format(
            delivery=delivery_port,
            console=console_port,
            operator=OPERATOR,
            viewer=VIEWER,
            amplitude=amplitude,
            aampe=aampe,
        )
        servers = kafka.bootstrap_servers
        file = directory / "ampgate.toml"
        started = running(directory, servers, prefix, edge_port, more=more)
        edge = await stack.enter_async_context(started)
        await stack.enter_async_context(process(file, "deliver"))
        await stack.enter_async_context(process(file, "console"))
        url = f"http://127.0.0.1:{console_port}"
        await until_answers(f"{url}/healthz", 200)
        yield World(edge, url, amplitude, aampe, browser)
