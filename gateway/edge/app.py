"""The edge as one ASGI application: ingest paths without FastAPI, everything else with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any, Protocol

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from gateway.dialects import endpoint_of
from gateway.edge import console
from gateway.edge.answers import Send, error_body, in_pieces
from gateway.edge.documents import Documents
from gateway.edge.ingest import Ingest
from gateway.edge.ingestion import Scope
from gateway.edge.log import EdgeLog
from gateway.edge.metrics import SuppressionMetrics
from gateway.edge.sources import NewRate, own_rate
from gateway.edge.spooled import spooling_log
from gateway.edge.storage import Store
from gateway.edge.wrong_keys import WrongKeys
from gateway.http.bodies import Receive, WholeRequest
from gateway.openapi import document
from gateway.spool.spooling import SpoolingLog
from schemas.cancellation import unless
from schemas.configuration.config import Config
from schemas.kafka.following import Follower
from schemas.suppressions import NOBODY, Suppressions

NOT_FOUND = Response(error_body(404, "Not Found"), 404, media_type="application/json")


class Lasting(Store, Protocol):
    """A store that is started and stopped: `EdgeLog`, that is Kafka."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def probe(self) -> bool:
        """Whether it takes writes right now."""

    @property
    def is_spooling(self) -> bool:
        """Whether what it takes waits for Kafka on the disk."""


PROBES = frozenset({"/healthz", "/readyz"})


class Application:
    """Serves the ingest paths itself, all others through FastAPI."""

    def __init__(
        self,
        operations: FastAPI,
        ingest: Ingest,
        path_prefix: str,
        ending: asyncio.Event,
        admin: "Application | None" = None,
    ) -> None:
        """If there is an application for the admin port, this one has only the probes and
        ingest. Once `ending` is set, its start waits for Kafka no longer."""
        self.ending = ending
        self.operations = operations
        self.ingest = ingest
        self.admin = admin
        self._prefix = path_prefix

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path = ""
        if scope["type"] == "http":
            path, inner = self._routed(scope)
            endpoint = endpoint_of(path)
            if endpoint is not None:
                await self.ingest(endpoint, inner, receive, send)
                return
            if inner is not scope:
                scope = {**scope, "root_path": self._prefix}
            send = in_pieces(send)
        if path and self.admin is not None and path not in PROBES:
            await NOT_FOUND(scope, receive, send)
        else:
            await self.operations(scope, receive, send)

    def begin(self, whole: WholeRequest) -> bool:
        """Whether it is served from now on: `Ingest.begin`."""
        path, inner = self._routed(whole.scope)
        endpoint = endpoint_of(path)
        return endpoint is not None and self.ingest.begin(endpoint, inner, whole)

    def _routed(self, scope: Scope) -> tuple[str, Scope]:
        """The path without the prefix, and the request as if it had been sent there."""
        path = scope["path"]
        if path.startswith("//"):  # Of an SDK whose host was given with a slash at its end.
            path = "/" + path.lstrip("/")
        if self._prefix and f"{path}/".startswith(self._prefix + "/"):
            # Paths without the prefix work, too: for probes, and for proxies that remove it.
            path = path.removeprefix(self._prefix) or "/"
            return path, {**scope, "path": path}
        return path, scope


def create_app(
    config: Config,
    store: Lasting | None = None,
    new_rate: NewRate = own_rate,
    wrong_keys: WrongKeys | None = None,
    suppressions: Suppressions = NOBODY,
) -> Application:
    """Without a `store`, it writes to Kafka, and follows the suppressions there."""
    log = store or _log(config, lambda: ingest)
    follower = None
    if store is None:
        follower = Follower(config.kafka, lambda count: ingest.metrics.suppressions.odd.inc(count))
        suppressions = follower.suppressions
    ingest = Ingest(config, log, new_rate, wrong_keys, suppressions)
    ending = asyncio.Event()
    if isinstance(log, SpoolingLog):
        ingest.metrics.spool.follow(log.spool)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _following(follower, ingest.metrics.suppressions):
            # The port opens a moment later, so that no first request is answered 503.
            known = _known(follower, config.edge.ack_timeout_seconds)
            await unless(ending, log.start(), known)
            try:
                yield
            finally:
                await log.stop()
                ingest.metrics.tick()

    app = FastAPI(
        title="ampgate edge",
        version=version("ampgate"),
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # Our page is built once, and loads nothing from other hosts.
    )
    app.add_exception_handler(HTTPException, _plain_error)
    _add_operations(app, log, ingest, suppressions)
    _add_console(app, console.page_of(config.console))
    _add_documents(app)
    whole = Application(app, ingest, config.edge.path_prefix, ending)
    if config.edge.admin_port is None:
        return whole
    # Ingest is on both ports: `/docs` sends its examples to the port that served it.
    return Application(app, ingest, config.edge.path_prefix, ending, admin=whole)


def _log(config: Config, ingest: Callable[[], Ingest]) -> Lasting:
    if config.edge.spool_dir is not None:
        return spooling_log(config, ingest)
    return EdgeLog(config.kafka, config.edge.ack_timeout_seconds)


def _add_documents(app: FastAPI) -> None:
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        return document(generated())

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way.
    documents = Documents(openapi)
    app.add_route("/openapi.json", documents.openapi, methods=["GET"])
    app.add_route("/docs", documents.page, methods=["GET"])


@asynccontextmanager
async def _following(follower: Follower | None, metrics: SuppressionMetrics) -> AsyncIterator[None]:
    if follower is None:
        yield
        return
    metrics.follow(follower)
    task = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _known(follower: Follower | None, seconds: float) -> None:
    """Returns when the suppressions are read; later than that, requests are answered 503."""
    if follower is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await follower.known()


async def _plain_error(_: Request, error: Exception) -> Response:
    """An unknown path or a wrong method, in the shape that SDKs of every dialect can read."""
    assert isinstance(error, HTTPException)
    body = error_body(error.status_code, error.detail)
    return Response(body, error.status_code, error.headers, media_type="application/json")


def _add_operations(app: FastAPI, log: Lasting, ingest: Ingest, suppressions: Suppressions) -> None:
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "alive"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", tags=["operations"], responses={503: {"model": dict[str, str]}})
    async def readyz(response: Response) -> dict[str, str]:
        """Whether Kafka, or the spool, takes writes: a real write is tried."""
        if not await log.probe():
            response.status_code = 503
            return {"status": "Kafka takes no writes"}
        if log.is_spooling:
            return {"status": "ready: records wait on the disk until Kafka takes them"}
        if not suppressions.is_known:
            response.status_code = 503
            why = "may not be read" if suppressions.is_forbidden else "are not read yet"
            return {"status": f"suppressions {why}"}
        return {"status": "ready"}

    @app.get("/metrics", tags=["operations"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Prometheus metrics, of all workers."""
        return Response(ingest.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _add_console(app: FastAPI, page: str) -> None:
    @app.get("/console", include_in_schema=False)
    async def where_the_console_is() -> Response:
        return Response(page, headers=console.HEADERS, media_type="text/html")
