"""The edge as one ASGI application: the ingest paths bare, everything else on FastAPI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.admission import Budget
from gateway.bodies import Receive
from gateway.ingest import Ingest, Send
from gateway.log import Log
from gateway.openapi import ingest_paths
from gateway.sources import Sources
from schemas.config import Config


class Application:
    """Takes the ingest paths out before FastAPI sees them."""

    def __init__(self, operations: FastAPI, ingest: Ingest) -> None:
        self.operations = operations
        self.ingest = ingest

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self.ingest.endpoint(scope["path"])
            if endpoint is not None:
                await self.ingest(endpoint, scope, receive, send)
                return
        await self.operations(scope, receive, send)


def create_app(config: Config) -> Application:
    log = Log(config.kafka, config.edge.ack_timeout_seconds)
    ingest = Ingest(
        config.edge,
        config.kafka.topics,
        log,
        Sources(config.sources),
        Budget(config.edge.max_inflight_bytes),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await log.start()
        try:
            yield
        finally:
            await log.stop()

    app = FastAPI(title="ampgate edge", version="0.1.0", lifespan=lifespan)
    _add_operations(app, log, ingest)
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        document = generated()
        document["paths"] = ingest_paths() | document["paths"]
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way.
    return Application(app, ingest)


def _add_operations(app: FastAPI, log: Log, ingest: Ingest) -> None:
    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["operations"], responses={503: {"description": "Kafka is away"}})
    async def readyz(response: Response) -> dict[str, str]:
        """Whether Kafka takes writes: one is really done."""
        if await log.probe():
            return {"status": "ready"}
        response.status_code = 503
        return {"status": "Kafka takes no writes"}

    @app.get("/metrics", tags=["operations"])
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(ingest.metrics.registry), media_type=CONTENT_TYPE_LATEST)
