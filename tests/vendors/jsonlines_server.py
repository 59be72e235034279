"""Where JSON lines go in the tests: a small HTTP server that keeps what it stores."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


@dataclass(slots=True)
class Stored:
    """The requests with lines that were stored; a line whose `event_type` is `Bad` is refused."""

    key: str
    url: str = ""
    requests: list[list[dict[str, Any]]] = field(default_factory=list)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [line for lines in self.requests for line in lines]

    async def answer(self, request: Request) -> JSONResponse:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"error": "unknown key"}, 401)
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        for number, line in enumerate(lines):
            if line["event_type"] == "Bad":
                return JSONResponse({"line": number, "error": "is bad"}, 400)
        if lines:
            self.requests.append(lines)
        return JSONResponse({"stored": len(lines)})


@asynccontextmanager
async def storing(key: str) -> AsyncIterator[Stored]:
    """It listens on a free port until the end of the block."""
    stored = Stored(key)
    app = Starlette(routes=[Route("/events", stored.answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_level="warning"))
    listening = socket.create_server(("127.0.0.1", 0))
    stored.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield stored
    finally:
        server.should_exit = True
        await serving
