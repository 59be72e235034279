"""The documentation site in a browser: it asks no other host, and its search finds pages."""

import functools
import http.server
import threading
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.docs.site_pages import DOCS
from tests.docs.test_site import build

READABLE = ["color-contrast", "link-in-text-block", "image-alt"]
PAGES = ("index.html", "getting-started.html", "howto/examples.html", "concepts/parking.html")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("site")
    done = build(directory)
    assert done.returncode == 0, done.stderr
    handler = functools.partial(Quiet, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def asked(page: Page) -> list[str]:
    """Every address that the page asks for."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    return urls


async def test_pages_ask_no_other_host(page: Page, origin: str, asked: list[str]) -> None:
    for name in PAGES:
        await page.goto(f"{origin}/{name}")
        await page.wait_for_load_state("networkidle")

    assert len(asked) > len(PAGES)
    assert {urlsplit(url).hostname for url in asked} - {None} == {"127.0.0.1"}


async def test_the_search_finds_a_page_and_asks_no_other_host(
    page: Page, origin: str, asked: list[str]
) -> None:
    await page.goto(f"{origin}/index.html")
    # Key by key: the search listens to keys, and `fill` presses none.
    await page.get_by_placeholder("Search").press_sequentially("sendBeacon")

    found = page.locator(".md-search-result__link").first
    await expect(found).to_contain_text("beacon")
    assert {urlsplit(url).hostname for url in asked} - {None} == {"127.0.0.1"}


@pytest.mark.parametrize("width", [360, 1280])
async def test_no_page_is_wider_than_the_window(page: Page, origin: str, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    for name in (*PAGES, "comparison.html", "configuration.html", "http-api.html"):
        await page.goto(f"{origin}/{name}")
        found = await page.evaluate("document.documentElement.scrollWidth")
        assert found <= width, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everything_can_be_read(
    page: Page, origin: str, scheme: Literal["light", "dark"]
) -> None:
    await page.emulate_media(color_scheme=scheme)
    for name in (*PAGES, "configuration.html"):
        await page.goto(f"{origin}/{name}")
        found = await Axe().run(page, options={"runOnly": READABLE})
        assert found.violations_count == 0, found.generate_report()


async def test_the_pictures_are_shown(page: Page, origin: str) -> None:
    names = [picture.stem for picture in (DOCS / "images").glob("*.svg")]
    assert names
    for name in names:
        await page.goto(f"{origin}/concepts/{name}.html")
        picture = page.locator("article img")
        await expect(picture).to_be_visible()
        assert await picture.evaluate("(img) => img.naturalWidth") > 0
