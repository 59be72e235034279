"""The delivery process: a worker for each destination and topic, and the admin's HTTP port."""

import asyncio
import gc
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from consumers.delivery.pace import Wait
from consumers.destinations import destinations_of
from consumers.http import Sender, sender_to
from consumers.kafka import Letters
from consumers.worker import Worker
from schemas.config import AampeDestination, AmplitudeDestination, Config, ConfigError

COMMIT_GRACE_SECONDS = 2.0  # After the drain; past it, what was not committed is sent again.
GARBAGE_MIN = 50_000  # Objects, before the collector looks; Python's own is 700.

log = structlog.get_logger()


def serve(config: Config, only: Sequence[str] = ()) -> None:
    """Deliver to all destinations, or only to those named, until SIGINT or SIGTERM."""
    known = {destination.name for destination in config.destinations}
    for name in only:
        if name not in known:
            raise ConfigError(f"there is no destination {name!r}; there are {sorted(known)}")
    # Records wait by the thousand and are no cycles: to look through them often cost a fifth.
    gc.set_threshold(GARBAGE_MIN, 20, 100)
    uvicorn_loop = uvicorn.Config(app="", loop="auto").get_loop_factory()
    with asyncio.Runner(loop_factory=uvicorn_loop) as runner:
        runner.run(_serve(config, only))


async def _serve(config: Config, only: Sequence[str]) -> None:
    async with AsyncExitStack() as stack:
        letters = Letters(config.kafka)
        stack.push_async_callback(letters.stop)
        workers: list[Worker] = []
        for destination in config.destinations:
            if only and destination.name not in only:
                continue
            http = await stack.enter_async_context(sender_to(destination))
            workers.extend(workers_of(destination, config, http, letters))
        await _run(config, workers, letters)


def workers_of(
    destination: AmplitudeDestination | AampeDestination,
    config: Config,
    http: Sender,
    letters: Letters,
    clock: Callable[[], float] = time.time,
) -> list[Worker]:
    """One for each topic that the destination reads, each with its own lag, pace and breaker."""
    # Aampe's 429 is meant for the key, whichever path it was said of.
    wait = Wait() if isinstance(destination, AampeDestination) else None
    parts = destinations_of(destination, config.destinations)
    return [Worker(part, config, http, letters, wait, clock) for part in parts]


async def _run(config: Config, workers: Sequence[Worker], letters: Letters) -> None:
    """The admin's port answers from the beginning, also while Kafka is away."""
    admin = _Server(
        uvicorn.Config(
            admin_app(workers),
            host=config.delivery.admin_host,
            port=config.delivery.admin_port,
            log_config=None,  # Its lines go where ours go.
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(admin.serve())
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        waiting = tasks.create_task(stopped.wait())
        ending: list[asyncio.Task[Any]] = [serving, waiting]
        running = [tasks.create_task(letters.start())]
        await asyncio.wait([*ending, *running], return_when=asyncio.FIRST_COMPLETED)
        if running[0].done():
            running = [tasks.create_task(worker.run()) for worker in workers]
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            for worker in workers:
                worker.stop()
            if running:
                grace = config.delivery.drain_timeout_seconds + COMMIT_GRACE_SECONDS
                await asyncio.wait(running, timeout=grace)
        for task in (*running, waiting):
            task.cancel()
        admin.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn, leaving the signals to us: delivery drains before the port closes."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def admin_app(workers: Sequence[Worker]) -> FastAPI:
    app = FastAPI(title="ampgate delivery", openapi_url=None)

    @app.get("/healthz")
    async def healthz(response: Response) -> dict[str, object]:
        stuck = [worker.name for worker in workers if worker.is_stuck]
        if stuck:
            response.status_code = 503
        return {"status": "stuck" if stuck else "alive", "stuck": stuck}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, object]:
        paused = {worker.name: worker.paused for worker in workers if worker.paused}
        if paused:
            response.status_code = 503
        return {"status": "paused" if paused else "ready", "paused": paused}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app
