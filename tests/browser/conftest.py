"""A headless Chromium, and a web shop whose pages come from another origin than the edge's."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Playwright, async_playwright, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.sdks.npm import node_with
from tests.sdks.shop import Shop, open_shop
from tests.served import served

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-sandbox",
]
PAGE = """<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>Shop</title>
<script src="/@amplitude/analytics-browser/lib/scripts/amplitude-min.umd.js"></script>
<script src="/@segment/analytics-next/dist/umd/index.js"></script>
"""


expect.set_options(timeout=DEADLINE_SECONDS * 1000)


@dataclass(frozen=True, slots=True)
class WebShop:
    """A shop's page in a browser, and the edge that its SDKs send to."""

    page: Page
    origin: str
    shop: Shop


@asynccontextmanager
async def site() -> AsyncIterator[str]:
    """The shop's pages and the SDKs' own files; yields the origin."""

    async def index(_: Request) -> HTMLResponse:
        return HTMLResponse(PAGE)

    files = StaticFiles(directory=HERE / "node_modules")
    app = Starlette(routes=[Route("/", index), Mount("/", files)])
    async with served(app) as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"there is no browser: none of {', '.join(BROWSERS)}")
    return found


async def launched(playwright: Playwright, chromium: str) -> Browser:
    return await playwright.chromium.launch(
        executable_path=chromium, args=ARGUMENTS, timeout=DEADLINE_SECONDS * 1000
    )


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    """A page in a fresh profile."""
    async with async_playwright() as playwright:
        browser = await launched(playwright, chromium)
        try:
            page = await browser.new_page()
            page.set_default_timeout(DEADLINE_SECONDS * 1000)
            yield page
        finally:
            await browser.close()


@pytest.fixture
async def web(
    page: Page,
    kafka: Broker,
    topic_prefix: str,
    unused_tcp_port_factory: Callable[[], int],
    tmp_path: Path,
) -> AsyncIterator[WebShop]:
    node_with(HERE)
    port = unused_tcp_port_factory()
    async with site() as origin, open_shop(kafka, topic_prefix, port, tmp_path, [origin]) as shop:
        await page.goto(origin)
        yield WebShop(page, origin, shop)
