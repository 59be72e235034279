"""An application behind a real socket: only there a client that leaves is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Yields its URL."""
    settings = uvicorn.Config(app, log_level="error", host="127.0.0.1", port=0)
    server = uvicorn.Server(settings)
    listener = settings.bind_socket()
    listener.listen()
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
