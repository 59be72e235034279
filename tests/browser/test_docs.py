"""`/docs` in a browser: it loads nothing from elsewhere, and every example on it succeeds."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Request, expect

from gateway.dialects import ENDPOINTS
from tests.unit.gateway.memory import Edge
from tests.unit.gateway.server.http_client import serving

SUCCESS = re.compile(r"20[02]")


@pytest.fixture
async def docs(page: Page) -> AsyncIterator[Page]:
    """The page, which fails the test if anything on it does, or asks another host."""
    errors: list[str] = []
    hosts: set[str | None] = set()

    def asked(request: Request) -> None:
        hosts.add(urlsplit(request.url).hostname)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text))
    page.on("request", asked)
    edge = Edge({"name": "dev", "write_key": "dev"}, path_prefix="/collect")
    async with serving(edge) as port:
        await page.goto(f"http://127.0.0.1:{port}/collect/docs")
        await expect(page.locator("details").first).to_be_visible()
        yield page
    # The browser itself says so of an answer that is no success.
    assert [one for one in errors if not one.startswith("Failed to load resource")] == []
    assert hosts - {None} == {"127.0.0.1"}


async def test_every_example_succeeds_when_it_is_sent(docs: Page) -> None:
    places = docs.locator("section > details")
    count = await places.count()
    assert count > len(ENDPOINTS)
    for number in range(count):
        place = places.nth(number)
        await place.locator("summary").first.click()
        await place.get_by_role("button", name="Send").click()
        answer = place.locator("div[role=status] span")
        await expect(answer).to_have_text(SUCCESS)
        await place.locator("summary").first.click()


async def test_it_can_be_used_by_keyboard_and_with_another_key(docs: Page) -> None:
    place = docs.locator("#post_v1_events")
    await docs.get_by_label("Write key").fill("secret")
    await place.locator("summary").first.focus()
    await docs.keyboard.press("Enter")
    await expect(place.locator("pre").first).to_contain_text("Bearer secret")
    for _ in range(3):
        await docs.keyboard.press("Tab")
    await docs.keyboard.press("Enter")
    await expect(place.locator("div[role=status] span")).to_have_text(re.compile("202"))
    await docs.get_by_label("Write key").fill("nobody's")
    await place.get_by_role("button", name="Send").click()
    await expect(place.locator("div[role=status] span")).to_have_text(re.compile("401"))
