"""What an edge cannot store right now, every SDK sends again by itself: no event is lost."""

import asyncio
from typing import Any

import pytest
from amplitude import BaseEvent  # type: ignore[import-untyped]  # It ships no types.
from rudderstack.analytics import Client as RudderClient  # type: ignore[import-untyped]  # Untyped.
from segment.analytics.client import Client  # type: ignore[import-untyped]  # It ships no types.

from tests.sdks import amplitude_sdks as amplitude
from tests.sdks.senders import ALL, SEGMENT, Send
from tests.sdks.shop import Shop


async def assert_all_are_there_once(shop: Shop, types: list[str]) -> None:
    events = await shop.events()
    assert sorted(event["event_type"] for event in events) == sorted(types)
    assert len({event["insert_id"] for event in events}) == len(events)


@pytest.mark.parametrize("send", ALL)
async def test_what_finds_no_room_is_sent_again(shop: Shop, send: Send) -> None:
    async with shop.full():
        sending = asyncio.ensure_future(send(shop.url, "web-key"))
        await shop.has_answered(503)
        assert await shop.events() == []
    await assert_all_are_there_once(shop, await sending)


@pytest.mark.parametrize("send", SEGMENT)
async def test_over_the_rate_is_sent_again(shop: Shop, send: Send) -> None:
    await shop.spend_the_rate()
    await assert_all_are_there_once(shop, await send(shop.url, "slow-key"))
    assert (await shop.answers())[429] >= 1


async def test_amplitude_waits_as_long_as_it_does_for_amplitude(shop: Shop) -> None:
    """Half a minute: whoever is named as throttled is held for so long
    (amplitude-sdks.md#how-they-react).
    """
    before = [{"event_type": f"Order {number}", "user_id": "user-0"} for number in range(40)]
    async with shop.edge.client() as client:
        upload = {"api_key": "slow-key", "events": before}
        assert (await client.post("/2/httpapi", json=upload)).status_code == 200
    async with amplitude.python_sdk(f"{shop.url}/2/httpapi", "slow-key", 1) as sdk:
        sdk.client.track(BaseEvent("Order Paid", user_id="user-1"))
        await shop.has_answered(429)
        (result,) = await sdk.reported(1)
    assert result.code == 200
    sent = [event["event_type"] for event in before] + ["Order Paid"]
    await assert_all_are_there_once(shop, sent)


async def test_amplitude_sends_in_halves_what_is_too_much_at_once(shop: Shop) -> None:
    types = [f"Order {number}" for number in range(60)]  # Its source takes 50 at a time.
    async with amplitude.python_sdk(f"{shop.url}/batch", "web-key", len(types)) as sdk:
        for event_type in types:
            sdk.client.track(BaseEvent(event_type, user_id="user-1"))
        results = await sdk.reported(len(types))
    assert {result.code for result in results} == {200}
    assert (await shop.answers())[413] >= 1
    await assert_all_are_there_once(shop, types)


@pytest.mark.parametrize("sdk", [Client, RudderClient])
async def test_segment_reports_what_is_too_much_at_once(shop: Shop, sdk: type) -> None:
    told: list[tuple[Any, int]] = []

    def on_error(error: Any, calls: list[object]) -> None:  # noqa: ANN401
        told.append((error.status, len(calls)))

    client: Any = sdk("web-key", host=f"{shop.url}/segment", on_error=on_error, upload_interval=1)
    for number in range(60):
        client.track("user-1", f"Order {number}")
    await asyncio.to_thread(client.flush)
    await asyncio.to_thread(client.join)
    assert told == [(413, 60)]
    assert await shop.events() == []
