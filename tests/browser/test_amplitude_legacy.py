"""amplitude-js 8, unmodified, on a page of another origin than the edge's."""

from tests.browser.conftest import WebShop
from tests.eventually import seen
from tests.sdks.shop import Event

SDK = "/amplitude-js/amplitude.umd.js"
INIT = """({key, endpoint, more}) => {
  const options = {apiEndpoint: endpoint, forceHttps: false, logLevel: "DISABLE"};
  amplitude.getInstance().init(key, "user-1", Object.assign(options, more));
}"""
ALL = """() => {
  const client = amplitude.getInstance();
  client.logEvent("Order Placed", {total: 12.5, note: "Grüße 🚀 & 100% = +1"});
  client.identify(new amplitude.Identify().set("plan", "gold").add("visits", 1));
  client.setGroup("org", ["Acme", "Beta"]);
  client.groupIdentify("org", "Acme", new amplitude.Identify().set("seats", 3));
  client.logRevenueV2(new amplitude.Revenue().setProductId("socks").setPrice(3.5).setQuantity(2));
}"""
TRACK = "(type) => amplitude.getInstance().logEvent(type)"
UNSENT = "() => amplitude.getInstance()._unsentCount()"
SENT = ["Order Placed", "$identify", "$identify", "$groupidentify", "revenue_amount"]


async def start(web: WebShop, key: str = "web-key", **more: object) -> None:
    """All that is changed is the host."""
    await web.page.add_script_tag(url=SDK)
    endpoint = web.shop.url.removeprefix("http://")
    await web.page.evaluate(INIT, {"key": key, "endpoint": endpoint, "more": more})


async def arrived(web: WebShop, count: int) -> list[Event]:
    return await seen(web.shop.events, lambda events: len(events) >= count)


async def test_every_call_arrives_and_is_forgotten_by_the_page(web: WebShop) -> None:
    await start(web)
    await web.page.evaluate(ALL)
    events = await arrived(web, len(SENT))
    await web.page.wait_for_function("() => amplitude.getInstance()._unsentCount() === 0")

    assert [event["event_type"] for event in events] == SENT
    assert len({event["insert_id"] for event in events}) == len(SENT)
    for event in events:
        assert event["user_id"] == "user-1"
        assert event["time"] > 0
        assert event["session_id"] > 0
        assert event["library"].startswith("amplitude-js/8.")
        assert (event["platform"], event["ip"]) == ("Web", "127.0.0.1")
    order, user, member, group, revenue = events
    assert order["event_properties"] == {"total": 12.5, "note": "Grüße 🚀 & 100% = +1"}
    assert user["user_properties"] == {"$set": {"plan": "gold"}, "$add": {"visits": 1}}
    assert member["groups"] == {"org": ["Acme", "Beta"]}
    assert (group["groups"], group["group_properties"]) == ({"org": "Acme"}, {"$set": {"seats": 3}})
    assert revenue["event_properties"]["$price"] == 3.5


async def test_what_a_beacon_takes_arrives(web: WebShop) -> None:
    await start(web, transport="beacon")
    await web.page.evaluate(TRACK, "Page Left")
    (event,) = await arrived(web, 1)
    assert event["event_type"] == "Page Left"


async def test_what_finds_no_room_is_sent_again_with_the_next_event(web: WebShop) -> None:
    await start(web)
    async with web.shop.full():
        await web.page.evaluate(TRACK, "Order Placed")
        await web.shop.has_answered(503)
    assert await web.page.evaluate(UNSENT) == 1
    await web.page.evaluate(TRACK, "Order Paid")
    events = await arrived(web, 2)
    assert [event["event_type"] for event in events] == ["Order Placed", "Order Paid"]


async def test_too_many_at_once_are_sent_in_halves(web: WebShop) -> None:
    types = [f"Order {number}" for number in range(60)]  # Its source takes 50 at a time.
    await start(web, batchEvents=True, eventUploadThreshold=60, uploadBatchSize=60)
    for event_type in types:
        await web.page.evaluate(TRACK, event_type)
    events = await arrived(web, len(types))
    assert [event["event_type"] for event in events] == types
    assert (await web.shop.answers())[413] == 1


async def test_a_wrong_key_stores_nothing(web: WebShop) -> None:
    await start(web, key="wrong")
    await web.page.evaluate(TRACK, "Order Placed")
    await web.shop.has_answered(400)
    assert await web.shop.events() == []
