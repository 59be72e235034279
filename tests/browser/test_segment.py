"""Segment's browser SDK, unmodified, on a page of another origin than the edge's."""

from typing import Any

import pytest

from tests.browser.conftest import WebShop
from tests.sdks.shop import Event

# What Segment's CDN would answer; with it the SDK asks nobody.
LOAD = """async ({key, host, more}) => {
  const segment = {apiKey: key, apiHost: `${host}/segment/v1`, protocol: "http", ...more};
  const cdnSettings = {integrations: {"Segment.io": segment}};
  window.told = [];
  const [analytics] = await AnalyticsNext.AnalyticsBrowser.load({writeKey: key, cdnSettings});
  for (const name of ["message_delivered", "delivery_failure", "delivery_retry"]) {
    analytics.queue.on(name, (context) => window.told.push([name, context.event.messageId]));
  }
  window.analytics = analytics;
}"""
ALL = """async () => {
  const calls = [
    await analytics.identify("user-1", {plan: "gold"}),
    await analytics.track("Order Placed", {total: 12.5, note: "Grüße 🚀"}),
    await analytics.page("Shop", "Home", {n: 1}),
    await analytics.screen("App", "Start", {n: 2}),
    await analytics.group("acme", {seats: 3}),
    await analytics.alias("user-2"),
  ];
  return calls.map((context) => context.event.messageId);
}"""
TRACK = """async (name) => (await analytics.track(name)).event.messageId"""


async def load(web: WebShop, key: str = "web-key", **more: object) -> None:
    host = web.shop.url.removeprefix("http://")
    await web.page.evaluate(LOAD, {"key": key, "host": host, "more": more})


async def told(web: WebShop, name: str) -> list[str]:
    """The calls of which the SDK said this, as soon as it has said it of one."""
    of_that_name = "(name) => window.told.filter(([given]) => given === name)"
    await web.page.wait_for_function(f"(name) => ({of_that_name})(name).length > 0", arg=name)
    found: list[list[str]] = await web.page.evaluate(of_that_name, name)
    return [message_id for _, message_id in found]


async def arrived(web: WebShop, count: int) -> list[Event]:
    return await web.shop.receives(lambda events: len(events) >= count)


async def test_every_call_arrives(web: WebShop) -> None:
    await load(web)
    ids: list[str] = await web.page.evaluate(ALL)
    events = await web.shop.events()
    (alias,) = await web.shop.dead_letters()

    assert [event["event_type"] for event in events] == [
        *("$identify", "Order Placed", "Viewed Home Page", "Viewed Start Screen"),
        *("$identify", "$groupidentify"),
    ]
    user, order, page, screen, member, group = events
    assert [event["insert_id"] for event in (user, order, page, screen, member)] == ids[:5]
    for event in events:
        assert event["user_id"] == "user-1"
        assert len(event["device_id"]) == 36
        assert event["platform"] == "Web"
        assert event["ip"] == "127.0.0.1"
        assert "Chrome" in event["user_agent"]
        assert event["time"] > 0
    assert user["user_properties"]["$set"]["plan"] == "gold"
    assert order["event_properties"] == {"total": 12.5, "note": "Grüße 🚀"}
    assert (
        page["event_properties"].items()
        >= {
            "name": "Home",
            "category": "Shop",
            "n": 1,
            "url": f"{web.origin}/",
            "title": "Shop",
            "path": "/",
        }.items()
    )
    assert screen["event_properties"].items() >= {"name": "Start", "n": 2}.items()
    assert member["groups"] == group["groups"] == {"group": "acme"}
    assert group["group_properties"] == {"$set": {"seats": 3}}
    # Kept, with its reason: an alias changes nothing at Amplitude (docs/segment-mapping.md).
    assert (alias["type"], alias["messageId"]) == ("alias", ids[5])


async def test_a_wrong_key_is_reported(web: WebShop) -> None:
    await load(web, key="wrong")
    message_id = await web.page.evaluate(TRACK, "Order Placed")
    assert await told(web, "delivery_failure") == [message_id]
    await web.shop.answered({401: 1})
    assert await web.shop.events() == []


async def test_what_finds_no_room_is_sent_again(web: WebShop) -> None:
    await load(web)
    async with web.shop.full():
        message_id = await web.page.evaluate(TRACK, "Order Placed")
        await web.shop.has_answered(503)
        assert await web.shop.events() == []
    (event,) = await arrived(web, 1)
    assert (event["event_type"], event["insert_id"]) == ("Order Placed", message_id)


@pytest.mark.parametrize("size", [3, 100])
async def test_a_batch_arrives_when_it_is_full_and_when_the_page_goes(
    web: WebShop, size: int
) -> None:
    strategy: dict[str, Any] = {"size": size, "timeout": 60_000}
    await load(web, deliveryStrategy={"strategy": "batching", "config": strategy})
    ids = [await web.page.evaluate(TRACK, f"Order {number}") for number in range(3)]
    if size > len(ids):
        assert await web.shop.events() == []
        await web.page.goto("about:blank")
    assert [event["insert_id"] for event in await arrived(web, 3)] == ids
    await web.shop.answered({200: 1})


async def test_over_the_rate_is_sent_again_when_told(web: WebShop) -> None:
    await load(web, key="slow-key")
    await web.shop.spend_the_rate()
    ids = [await web.page.evaluate(TRACK, f"Order {number}") for number in range(6)]
    events = await arrived(web, len(ids))
    assert sorted(event["insert_id"] for event in events) == sorted(ids)
    assert (await web.shop.answers())[429] >= 1
