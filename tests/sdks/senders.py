"""Every server SDK in one shape: it sends a few calls, and says that they are there."""

import asyncio
from collections.abc import Awaitable, Callable

from rudderstack.analytics import Client as RudderClient  # type: ignore[import-untyped]  # Untyped.
from segment.analytics.client import Client  # type: ignore[import-untyped]  # It ships no types.

from tests.sdks import amplitude_sdks as amplitude
from tests.sdks import test_segment_sdks as segment
from tests.sdks.npm import node_with

Send = Callable[[str, str], Awaitable[list[str]]]  # Of a URL and a key; the types of the events.


async def amplitude_python(url: str, key: str) -> list[str]:
    async with amplitude.python_sdk(f"{url}/2/httpapi", key, 3) as sdk:
        amplitude.send_three(sdk.client)
        results = await sdk.reported(3)
    assert [result.code for result in results] == [200] * 3
    return amplitude.SENT


async def amplitude_node(url: str, key: str) -> list[str]:
    node = node_with(amplitude.NODE_DIR)
    results = await amplitude.node_sdk(node, url=f"{url}/2/httpapi", key=key, useBatch=False)
    assert [result.code for result in results] == [200] * 3
    return amplitude.SENT


async def segment_python(url: str, key: str) -> list[str]:
    return await python_calls(Client, url, key)


async def rudder_python(url: str, key: str) -> list[str]:
    return await python_calls(RudderClient, url, key)


async def python_calls(sdk: type, url: str, key: str) -> list[str]:
    errors: list[Exception] = []

    def on_error(error: Exception, _calls: object) -> None:
        errors.append(error)

    client = sdk(key, host=f"{url}/segment", on_error=on_error, upload_size=3)
    await asyncio.to_thread(segment.send_all, client)
    assert errors == []
    return segment.SENT


async def segment_node(url: str, key: str) -> list[str]:
    node = node_with(segment.NODE_DIR)
    settings = {"path": "/segment/v1/batch", "maxEventsInBatch": 3}
    told = await segment.node_sdk(node, host=url, key=key, **settings)
    assert (told.errors, any(call["failed"] for call in told.calls)) == ([], False)
    return segment.SENT


SEGMENT: list[Send] = [segment_python, rudder_python, segment_node]
ALL: list[Send] = [amplitude_python, amplitude_node, *SEGMENT]
