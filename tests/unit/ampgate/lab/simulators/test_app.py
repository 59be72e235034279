"""The simulators over HTTP: what an operator and an end-to-end test can ask."""

import asyncio
import socket
from collections.abc import Iterator

import httpx
import orjson
import pytest

from ampgate.lab.simulators.app import SimulatorApp, simulator_app, simulator_server
from tests.loopback import loopback_client
from tests.unit.ampgate.lab.simulators.requests import aampe, event, identify, upload


@pytest.fixture
def app() -> Iterator[SimulatorApp]:
    app = simulator_app("amplitude", clock=lambda: 1000.0)
    yield app
    app.close()


@pytest.fixture
def client(app: SimulatorApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://amplitude")


async def post_events(client: httpx.AsyncClient, *numbers: int) -> httpx.Response:
    return await client.post("/batch", content=upload([event(n) for n in numbers]).body)


async def test_received_lists_what_was_accepted_in_order(client: httpx.AsyncClient) -> None:
    await post_events(client, 1, 2)
    await post_events(client, 2, 3)
    one = identify({"user_id": "user-1"})
    await client.post("/identify", content=one.body, headers=dict(one.headers))
    await client.post("/batch", content=upload([event(4, time="x")]).body)

    everything = (await client.get("/_received")).text.splitlines()
    events = (await client.get("/_received", params={"endpoint": "/batch"})).text.splitlines()
    assert [event(1), event(2), event(3), {"user_id": "user-1"}] == [*map(orjson.loads, everything)]
    assert everything[:3] == events
    assert (await client.get("/_received", params={"endpoint": "/2/httpapi"})).text == ""


async def test_received_is_streamed_whole_past_one_chunk(client: httpx.AsyncClient) -> None:
    for first in range(0, 6000, 2000):
        await post_events(client, *range(first, first + 2000))

    lines = (await client.get("/_received")).text.splitlines()
    assert [f"insert-{n}" for n in range(6000)] == [orjson.loads(x)["insert_id"] for x in lines]


async def test_stats_and_properties_can_be_asked(client: httpx.AsyncClient) -> None:
    body = upload([event(1, user_properties={"plan": "pro"})]).body
    await client.post("/batch", content=body)
    await client.post("/batch", content=body)
    stats = (await client.get("/_stats")).json()

    assert tuple(
        stats[name] for name in ("kind", "accepted", "distinct_insert_ids", "duplicates")
    ) == ("amplitude", 1, 1, 1)
    assert stats["requests"] == {"/batch": {"200": 2}}
    assert (stats["violations"], stats["violations_total"]) == ([], 0)
    assert (await client.get("/_properties?user_id=user-1")).json() == {"plan": "pro"}
    assert (await client.get("/_properties?user_id=user-2")).status_code == 404


async def test_faults_are_set_refused_and_cleared(client: httpx.AsyncClient) -> None:
    down = {"seed": 1, "rules": [{"effect": {"kind": "html", "status": 502}}]}

    assert (await client.post("/_faults", json=down)).json() == {"rules": 1}
    assert (await post_events(client, 1)).status_code == 502
    refused = await client.post("/_faults", json={"rules": [{"effect": {"kind": "html", "x": 1}}]})
    assert refused.status_code == 422
    assert "rules.0.effect.html.x: Extra inputs" in refused.json()["error"]
    await client.post("/_faults", json={"rules": []})
    assert (await post_events(client, 1)).status_code == 200


async def test_reset_forgets_everything(client: httpx.AsyncClient) -> None:
    await post_events(client, 1)
    await client.post("/_reset")

    assert (await client.get("/_received")).text == ""
    assert (await client.get("/_stats")).json()["accepted"] == 0
    await post_events(client, 1)
    assert len((await client.get("/_received")).text.splitlines()) == 1


async def test_an_unknown_operation_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/_nothing")).status_code == 404


async def test_without_a_transport_a_reset_is_an_exception(client: httpx.AsyncClient) -> None:
    await client.post("/_faults", json={"rules": [{"effect": {"kind": "reset"}}]})

    with pytest.raises(ConnectionResetError):
        await post_events(client, 1)


async def test_a_reset_is_one_on_the_wire_and_the_server_lives_on() -> None:
    app = simulator_app("aampe")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = simulator_server(app, host="127.0.0.1", port=0)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        request = aampe({"contact_id": "u", "event_name": "e", "timestamp": 1})
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with loopback_client(base) as client:
            rule = {"times": 1, "effect": {"kind": "reset", "when": "after"}}
            await client.post("/_faults", json={"rules": [rule]})
            with pytest.raises(httpx.ReadError):
                await client.post("/v1/events", content=request.body, headers=dict(request.headers))
            again = await client.post(
                "/v1/events", content=request.body, headers=dict(request.headers)
            )
            assert (again.status_code, again.content) == (202, b"null")
            assert (await client.get("/_stats")).json()["accepted"] == 2
        server.should_exit = True
        await serving
    app.close()
