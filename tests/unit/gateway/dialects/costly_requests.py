"""Requests that become more than they look like."""

import httpx

from tests.unit.gateway.memory import Edge


async def post(edge: Edge, body: object) -> httpx.Response:
    async with edge.client as client:
        return await client.post("/segment/v1/batch", json=body, auth=("secret", ""))
