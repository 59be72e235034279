"""RudderStack's browser SDK, unmodified, on a page of another origin than the edge's."""

from playwright.async_api import Route

from tests.browser.conftest import WebShop
from tests.eventually import seen
from tests.sdks.shop import Event

SDK = "/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"
CONFIG = {
    "source": {
        "id": "web",
        "name": "web",
        "writeKey": "web-key",
        "enabled": True,
        "workspaceId": "workspace",
        "connections": [],
        "destinations": [],
        "config": {
            "statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}
        },
    }
}
LOAD = """async ({key, url, control, more}) => {
  globalThis.rudder = new rudderanalytics.RudderAnalytics();
  const ready = new Promise((resolve) => rudder.ready(resolve));
  rudder.load(key, url, Object.assign({configUrl: control, logLevel: "ERROR"}, more));
  await ready;
}"""
ALL = """() => {
  rudder.identify("user-1", {plan: "gold"});
  rudder.track("Order Placed", {total: 12.5, note: "Grüße 🚀"});
  rudder.page("Home");
  rudder.group("acme", {seats: 3});
}"""
SENT = ["$identify", "Order Placed", "Viewed Home Page", "$identify", "$groupidentify"]


async def start(web: WebShop, key: str = "web-key", **more: object) -> None:
    """Its configuration comes from RudderStack's control plane: here that is the page's own."""

    async def answer(route: Route) -> None:
        await route.fulfill(json=CONFIG)

    await web.page.route("**/sourceConfig/**", answer)
    await web.page.add_script_tag(url=SDK)
    options = {"key": key, "url": f"{web.shop.url}/segment", "control": web.origin, "more": more}
    await web.page.evaluate(LOAD, options)


async def arrived(web: WebShop, types: list[str]) -> list[Event]:
    """The events, as soon as they are all there: the SDK tells nobody of its answers."""
    return await seen(web.shop.events, lambda events: len(events) >= len(types))


async def test_every_call_arrives(web: WebShop) -> None:
    await start(web)
    await web.page.evaluate(ALL)
    events = await arrived(web, SENT)
    assert [event["event_type"] for event in events] == SENT
    assert len({event["insert_id"] for event in events}) == len(SENT)
    for event in events:
        assert event["user_id"] == "user-1"
        assert len(event["device_id"]) == 36
        assert event["session_id"] > 0
        assert (event["ip"], event["platform"]) == ("127.0.0.1", "Web")
    user, order, page, member, group = events
    assert user["user_properties"]["$set"]["plan"] == "gold"
    assert order["event_properties"] == {"total": 12.5, "note": "Grüße 🚀"}
    assert page["event_properties"]["url"] == f"{web.origin}/"
    assert member["groups"] == group["groups"] == {"group": "acme"}
    assert group["group_properties"] == {"$set": {"seats": 3}}


async def test_what_a_beacon_takes_as_the_page_goes_arrives(web: WebShop) -> None:
    await start(web, useBeacon=True, beaconQueueOptions={"flushQueueInterval": 60_000})
    await web.page.evaluate(ALL)
    assert await web.shop.events() == []
    await web.page.goto("about:blank")
    events = await arrived(web, SENT)
    assert [event["event_type"] for event in events] == SENT
    await web.shop.answered({200: 1})


async def test_a_batch_arrives(web: WebShop) -> None:
    await start(web, queueOptions={"batch": {"enabled": True, "flushInterval": 1_000}})
    await web.page.evaluate(ALL)
    events = await arrived(web, SENT)
    assert [event["event_type"] for event in events] == SENT
    await web.shop.answered({200: 1})


async def test_a_wrong_key_stores_nothing(web: WebShop) -> None:
    await start(web, key="wrong")
    await web.page.evaluate(ALL)
    await web.shop.has_answered(401)
    assert await web.shop.events() == []


async def test_what_finds_no_room_is_sent_again(web: WebShop) -> None:
    await start(web)
    async with web.shop.full():
        await web.page.evaluate(ALL)
        await web.shop.has_answered(503)
        assert await web.shop.events() == []
    events = await arrived(web, SENT)
    assert sorted(event["event_type"] for event in events) == sorted(SENT)


async def test_over_the_rate_is_sent_again(web: WebShop) -> None:
    await start(web, key="slow-key")
    await web.shop.spend_the_rate()
    await web.page.evaluate(ALL)
    events = await arrived(web, SENT)
    assert (await web.shop.answers())[429] >= 1
    assert sorted(event["event_type"] for event in events) == sorted(SENT)
