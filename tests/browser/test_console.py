"""The console in a browser, before a real Kafka, edge and delivery: what an operator does at night.

`AMPGATE_SCREENSHOTS=1` writes the pictures of docs/console.md anew.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright, expect

from tests.browser.conftest import launched
from tests.browser.console_world import VIEWER, World, world_of
from tests.conftest import Broker
from tests.eventually import seen
from tests.operating import received, set_faults

pytestmark = pytest.mark.asyncio(loop_scope="module")
IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "laptop": (1280, 800), "wide": (1680, 1050)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGES = (
    *("/", "/events", "/live", "/dead-letters", "/replays", "/pulls", "/suppressions", "/check"),
    *("/configuration", "/destinations/amplitude-us"),
)
# Each destination's name becomes the longest that there can be.
LONGEST_NAMES = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    node.data = node.data.replaceAll(/\\b(amplitude|aampe)-us\\b/g, "n".repeat(63));
  }
}"""
ATTACK = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    chromium: str, kafka: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with async_playwright() as playwright:
        browser = await launched(playwright, chromium)
        try:
            async with world_of(kafka, tmp_path_factory.mktemp("console"), browser) as found:
                yield found
        finally:
            await browser.close()


def event(
    user: str, insert_id: str, kind: str = "Bought", **properties: object
) -> dict[str, object]:
    return {
        "event_type": kind,
        "user_id": user,
        "insert_id": insert_id,
        "event_properties": properties,
    }


async def test_an_event_is_followed_to_its_dead_letter_and_replayed(world: World) -> None:
    refused = {"kind": "answer", "status": 422, "body": {"detail": "price: must be a number"}}
    await set_faults(world.aampe, {"match": {"event_type": "Broken"}, "effect": refused})
    await world.send(
        event("ann", "whole"), event("ann", "broken", "Broken", price="nine", name=ATTACK)
    )
    async with world.signed_in() as page:
        await page.keyboard.press("/")
        await page.keyboard.type("broken")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{world.url}/events?q=broken")
        await _until_shown(page, ".pill.dead")
        await page.get_by_role("link", name="Broken").click()
        await expect(page.get_by_role("link", name="Its dead letter")).to_be_visible()
        await expect(page.locator("pre").last).to_contain_text(ATTACK.replace('"', '\\"'))
        await page.get_by_role("link", name="Its dead letter").click()
        await expect(page.locator("section.letter")).to_contain_text("price")
        await page.get_by_role("link", name="Replay…").click()
        await expect(page.locator(".plan")).to_contain_text("1 is sent to aampe-us again")

        await set_faults(world.aampe)
        await page.get_by_role("button", name="Send 1 letter again").click()
        await expect(page.get_by_text("Done: all records that were written")).to_be_visible()
        assert "owned" not in await page.title()
        await page.goto(f"{world.url}/events?q=broken")
        await expect(page.locator(".pill.delivered")).to_have_count(1)
        await expect(page.locator("td").last).to_contain_text("amplitude-us, aampe-us")
    names = [one.get("event_id") for one in await received(world.aampe)]
    assert names.count("broken") == 1


async def _until_shown(page: Page, what: str) -> None:
    """A search shows one moment: it is made again until that has come."""

    async def look() -> int:
        await page.reload()
        return await page.locator(what).count()

    await seen(look, bool)


async def test_who_only_sees_gets_no_button_that_acts(world: World) -> None:
    await world.send({"event_type": "", "user_id": "bob"})
    async with world.signed_in(VIEWER) as page:
        await page.goto(f"{world.url}/dead-letters?destination=edge")
        await _until_shown(page, "a.button:has-text('Replay')")
        await page.get_by_role("link", name="Replay all").click()
        await expect(page.locator(".plan")).to_contain_text("left")
        await expect(page.locator("main button")).to_have_count(0)
        await page.goto(f"{world.url}/configuration")
        assert "a-secret" not in await page.content()
        async with page.expect_navigation():
            await page.get_by_role("button", name="Sign out").click()
        await page.goto(f"{world.url}/check")
        await expect(page.get_by_label("Token")).to_be_focused()


async def test_the_tail_follows_a_thousand_events_a_second_and_pauses(world: World) -> None:
    async with world.signed_in() as page:
        await page.goto(f"{world.url}/live?event_type=Tailed")
        await expect(page.locator("#tail-says")).to_have_text("Following.")
        for batch in range(10):
            events = [event(f"u{n}", f"t{batch}-{n}", "Tailed", name=ATTACK) for n in range(100)]
            await asyncio.gather(world.send(*events), asyncio.sleep(0.1))
        await expect(page.locator("#tail-count")).to_have_text("1,000")
        await page.get_by_role("button", name="Pause").click()
        await world.send(event("late", "t-late", "Tailed"), event("other", "t-other", "Other"))
        await expect(page.locator("#tail-says")).to_have_text("Paused: 1 came meanwhile.")
        await page.get_by_role("button", name="Tailed").first.click()
        await expect(page.locator("tr.opened pre")).to_contain_text("document.title")
        assert "owned" not in await page.title()
        assert await page.locator("#tail-rows > tr").count() <= 201


async def test_a_typed_time_is_in_the_zone_in_which_times_are_shown(world: World) -> None:
    async with world.signed_in(timezone_id="Asia/Tokyo") as page:
        await page.goto(f"{world.url}/dead-letters")
        for typed, meant in (
            ("2026-01-02 09:00", "2026-01-02T00:00:00.000Z"),
            ("2026-01-02", "2026-01-01T15:00:00.000Z"),
            ("2026-01-02T09:00Z", "2026-01-02T09:00Z"),
            ("2h", "2h"),
        ):
            await page.get_by_label("Since").fill(typed)
            async with page.expect_navigation():  # The page that is left shows the time, too.
                await page.get_by_role("button", name="Show").click()
            await expect(page.get_by_label("Since")).to_have_value(meant)


async def test_a_hidden_page_gives_its_connection_back_and_goes_on_when_it_is_seen(
    world: World,
) -> None:
    """A browser has six for all of its tabs: the seventh page would not load."""
    async with world.signed_in() as page:
        async with page.expect_request("**/stream"):
            await page.reload()
        async with page.expect_event("requestfailed", lambda one: one.url.endswith("/stream")):
            await _hide(page, hidden=True)
        await expect(page.locator("#part")).to_have_class("stale")
        async with page.expect_request("**/stream"):
            await _hide(page, hidden=False)
        await expect(page.locator("#part")).to_have_class("")


async def _hide(page: Page, *, hidden: bool) -> None:
    """As a browser does with the tab that another one covers."""
    await page.evaluate(
        "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden,"
        " configurable: true}); document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


async def test_a_paused_destination_is_found_with_its_reason_and_what_to_do(world: World) -> None:
    refused = {"kind": "answer", "status": 401}
    await set_faults(world.amplitude, {"match": {"path": "/batch"}, "effect": refused})
    await world.send(*(event(f"p{n}", f"p{n}") for n in range(20)))
    async with world.signed_in() as page:
        row = page.locator(".row").filter(has_text="amplitude-us")
        said = re.compile(r"Paused: Amplitude answered 401 since \d\d:\d\d\. Check the API key\.")
        await expect(row).to_contain_text(said)
        await expect(page.get_by_role("status").first).to_have_text(
            "1 of 2 destinations needs attention."
        )
        await row.get_by_role("link", name="amplitude-us").click()
        await expect(page.get_by_role("heading", name="amplitude-us")).to_be_visible()
        await _until_shown(page, "svg.bars[aria-label*=partition]")
        await _look_at_every_page(world, page)


async def _look_at_every_page(world: World, page: Page) -> None:
    """At four sizes nothing is wider than the screen, and in both themes axe finds nothing serious;
    the destination stays paused, which makes the pages worth looking at."""
    axe = Axe()
    for path in PAGES:
        await page.goto(world.url + path)
        await expect(page.locator("h1")).to_be_visible()
        await page.evaluate(LONGEST_NAMES)
        for size, (width, height) in SIZES.items():
            await page.set_viewport_size({"width": width, "height": height})
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide on a {size}"
        for theme in THEMES:
            await page.emulate_media(color_scheme=theme)
            # Only colours differ in the other theme.
            rules = None if theme == "light" else {"runOnly": ["color-contrast"]}
            found = await axe.run(page, options=rules)
            serious = [
                (one["id"], [node["html"] for node in one["nodes"]])
                for one in found.response["violations"]
                if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], f"{path}, {theme}: {serious}"
    if os.environ.get("AMPGATE_SCREENSHOTS"):
        await _take_pictures(world, page)


async def _take_pictures(world: World, page: Page) -> None:
    for name, path, size, scheme in (
        ("overview", "/", (1120, 640), "light"),
        ("event", "/events?q=broken", (1200, 420), "light"),
        ("phone", "/", (390, 700), "dark"),
        ("dead-letters", "/dead-letters", (1200, 460), "dark"),
    ):
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await page.goto(world.url + path)
        await page.screenshot(path=IMAGES / f"console-{name}.png")
