"""Amplitude's browser SDK, unmodified, on a page of another origin than the edge's."""

import asyncio
from typing import Any

from playwright.async_api import Request

from tests.browser.conftest import WebShop
from tests.sdks.shop import Event

# What comes within the interval is one request, on a slow machine too.
INIT = """async ({key, url, more}) => {
  const options = {serverUrl: url, flushIntervalMillis: 1000, autocapture: false, logLevel: 0};
  Object.assign(options, {remoteConfig: {fetchRemoteConfig: false}, fetchRemoteConfig: false});
  await amplitude.init(key, "user-1", Object.assign(options, more)).promise;
}"""
TRACK = """async (types) => {
  const calls = types.map((type) => amplitude.track(type, {n: 1}).promise);
  return (await Promise.all(calls)).map(({event, code, message}) =>
    ({event_type: event.event_type, insert_id: event.insert_id, code, message}));
}"""
ALL = """async () => {
  const revenue = new amplitude.Revenue()
    .setProductId("socks").setPrice(3.5).setQuantity(2).setRevenueType("purchase");
  const calls = [
    amplitude.track("Order Placed", {total: 12.5, note: "Grüße 🚀"}),
    amplitude.identify(new amplitude.Identify().set("plan", "gold").add("visits", 1)),
    amplitude.setGroup("org", ["Acme", "Beta"]),
    amplitude.groupIdentify("org", "Acme", new amplitude.Identify().setOnce("seats", 3)),
    amplitude.revenue(revenue),
  ];
  return (await Promise.all(calls.map((call) => call.promise))).map(({event, code, message}) =>
    ({event_type: event.event_type, insert_id: event.insert_id, code, message}));
}"""
SUCCESS = "Event tracked successfully"


async def start(web: WebShop, key: str = "web-key", **more: object) -> None:
    options = {"key": key, "url": f"{web.shop.url}/2/httpapi", "more": more}
    await web.page.evaluate(INIT, options)


async def track(web: WebShop, *types: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = await web.page.evaluate(TRACK, list(types))
    return results


async def arrived(web: WebShop, *types: str) -> list[Event]:
    """The events, as soon as these are all there: nobody tells the page of a beacon's answer."""
    return await web.shop.receives(
        lambda events: {event["event_type"] for event in events} >= set(types)
    )


async def test_every_call_arrives_and_is_reported(web: WebShop) -> None:
    await start(web)
    results = await web.page.evaluate(ALL)
    events = await web.shop.events()

    assert {(result["code"], result["message"]) for result in results} == {(200, SUCCESS)}
    assert [event["insert_id"] for event in events] == [r["insert_id"] for r in results]
    order, user, member, group, revenue = events
    for event in events:
        assert event["user_id"] == "user-1"
        assert len(event["device_id"]) == 36
        assert event["platform"] == "Web"
        assert event["ip"] == "127.0.0.1"  # The page's SDK sends `$remote`.
        assert event["library"].startswith("amplitude-ts/")
        assert "Chrome" in event["user_agent"]
        assert event["language"]
        assert event["session_id"] > 0
    assert order["event_properties"] == {"total": 12.5, "note": "Grüße 🚀"}
    assert user["event_type"] == "$identify"
    assert user["user_properties"] == {"$set": {"plan": "gold"}, "$add": {"visits": 1}}
    assert member["event_type"] == "$identify"
    assert member["groups"] == {"org": ["Acme", "Beta"]}
    assert group["event_type"] == "$groupidentify"
    assert (group["groups"], group["group_properties"]) == (
        {"org": "Acme"},
        {"$setOnce": {"seats": 3}},
    )
    assert revenue["event_type"] == "revenue_amount"
    assert revenue["event_properties"] == {
        "$productId": "socks",
        "$price": 3.5,
        "$quantity": 2,
        "$revenueType": "purchase",
    }


async def test_sessions_and_page_views_arrive(web: WebShop) -> None:
    await start(web, autocapture={"sessions": True, "pageViews": True})
    events = await arrived(web, "session_start", "[Amplitude] Page Viewed")
    (view,) = [event for event in events if event["event_type"] == "[Amplitude] Page Viewed"]
    assert view["event_properties"]["[Amplitude] Page Location"] == f"{web.origin}/"


async def test_a_compressed_body_arrives(web: WebShop) -> None:
    requests: list[Request] = []
    web.page.on("request", lambda request: requests.append(request))
    await start(web, enableRequestBodyCompression=True)
    types = [f"Order {number}" for number in range(20)]
    results = await track(web, *types)
    assert {result["code"] for result in results} == {200}
    encodings = {request.headers.get("content-encoding") for request in requests}
    assert "gzip" in encodings
    assert [event["event_type"] for event in await web.shop.events()] == types


async def test_what_is_sent_as_the_page_goes_arrives(web: WebShop) -> None:
    await start(web, flushIntervalMillis=60_000)
    await web.page.evaluate("""() => {
      addEventListener("pagehide", () => {
        amplitude.setTransport("beacon");
        amplitude.flush();
      });
      amplitude.track("Page Left");
    }""")
    await web.page.goto("about:blank")
    (event,) = await arrived(web, "Page Left")
    assert event["user_id"] == "user-1"
    await web.shop.answered({200: 1})


async def test_a_wrong_key_is_reported(web: WebShop) -> None:
    await start(web, key="wrong")
    (result,) = await track(web, "Order Placed")
    assert (result["code"], result["message"]) == (400, "Invalid API key: wrong")
    assert await web.shop.events() == []


async def test_a_page_of_another_origin_is_kept_out(web: WebShop) -> None:
    await web.page.goto(web.origin.replace("127.0.0.1", "localhost"))
    await start(web, flushMaxRetries=1)
    (result,) = await track(web, "Order Placed")
    assert result["code"] != 200
    assert await web.shop.events() == []


async def test_too_many_at_once_are_sent_in_halves(web: WebShop) -> None:
    types = [f"Order {number}" for number in range(60)]  # Its source takes 50 at a time.
    await start(web, flushQueueSize=len(types), flushIntervalMillis=500)
    results = await track(web, *types)
    assert {result["code"] for result in results} == {200}
    assert sorted(event["event_type"] for event in await web.shop.events()) == sorted(types)
    assert (await web.shop.answers())[413] == 1


async def test_what_finds_no_room_is_sent_again(web: WebShop) -> None:
    await start(web)
    async with web.shop.full():
        sent = asyncio.create_task(track(web, "Order Placed", "Order Paid"))
        await web.shop.has_answered(503)
        assert await web.shop.events() == []
    results = await sent
    assert [result["code"] for result in results] == [200, 200]
    events = await web.shop.events()
    assert [event["insert_id"] for event in events] == [r["insert_id"] for r in results]
