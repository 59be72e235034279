"""The delivery process: signals, the configuration, and the admin's HTTP port."""

import asyncio
import gc
import signal
from collections.abc import Callable, Sequence

import structlog
import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from consumers.deliveries import Deliveries, check
from consumers.heap import keep_freed
from consumers.kafka.letters import Letters
from consumers.metrics import (
    LETTERS_FAILING,
    SUPPRESSED_KEYS,
    SUPPRESSIONS_ODD,
    SUPPRESSIONS_READ,
)
from consumers.transform_times import interruption
from schemas.configuration.config import Config, ConfigError, Planned
from schemas.http.listening import AdminServer, bound
from schemas.kafka.following import Follower

GARBAGE_MIN = 200_000  # Allocations between runs of the garbage collector; Python has 700.
Load = Callable[[], Config]
log = structlog.get_logger()


def serve(config: Config, only: Sequence[str] = (), load: Load | None = None) -> None:
    """Deliver to all destinations, or only to those named, until SIGINT or SIGTERM.

    SIGHUP applies what `load` then returns.
    """
    check(config, only)
    # Thousands of records wait, and are no cycles: collecting often took a fifth of the time.
    gc.set_threshold(GARBAGE_MIN, 5, 100)
    gc.freeze()
    keep_freed()
    uvicorn_loop = uvicorn.Config(app="", loop="auto").get_loop_factory()
    try:
        with asyncio.Runner(loop_factory=uvicorn_loop) as runner:
            runner.run(_serve(config, only, load))
    finally:
        interruption.end()


async def _serve(config: Config, only: Sequence[str], load: Load | None) -> None:
    letters, follower = Letters(config.kafka), Follower(config.kafka, SUPPRESSIONS_ODD.inc)
    deliveries = Deliveries(letters, only, follower.suppressions)
    await _Process(config, load, letters, follower, deliveries).run()


class _Process:
    def __init__(
        self,
        config: Config,
        load: Load | None,
        letters: Letters,
        follower: Follower,
        deliveries: Deliveries,
    ) -> None:
        self._config = config
        self._load = load
        self._letters = letters
        self._follower = follower
        self._deliveries = deliveries
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()

    async def run(self) -> None:
        """The admin port answers from the start, also while Kafka is unavailable."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signals.put_nowait, number)
        interruption.install()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])  # Blocked by the command.
        host, port = self._config.delivery.admin_host, self._config.delivery.admin_port
        sockets = bound("delivery.admin_port", host, port, shared=False)
        admin = AdminServer(admin_app(self._deliveries))
        LETTERS_FAILING.set_function(lambda: float(self._letters.is_failing))
        SUPPRESSED_KEYS.set_function(lambda: len(self._follower.suppressions))
        SUPPRESSIONS_READ.set_function(lambda: self._follower.read_at)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follower.run())
            serving = tasks.create_task(admin.serve(sockets))
            delivering = tasks.create_task(self._deliver(tasks))
            await asyncio.wait([serving, delivering], return_when=asyncio.FIRST_COMPLETED)
            admin.should_exit = True
            if not delivering.done():
                self._signals.put_nowait(signal.SIGTERM)
                await asyncio.wait([delivering])
            following.cancel()
        await self._letters.stop()

    async def _deliver(self, tasks: asyncio.TaskGroup) -> None:
        starting = tasks.create_task(self._start(tasks))
        while await self._signals.get() is signal.SIGHUP:
            config = self._read_again()
            if config is None:
                continue
            if starting.done():
                await self._apply(config, tasks)
            else:
                self._config = config
                log.info("configuration reloaded, used once Kafka can be reached")
        starting.cancel()
        await self._deliveries.stop(self._config)

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        await self._letters.start()
        await self._follower.known()  # Nothing is delivered before.
        await self._deliveries.apply(self._config, tasks)

    def _read_again(self) -> Config | None:
        """The configuration with its new destinations and sources, if all of it can be applied."""
        if self._load is None:
            return None
        try:
            config = self._load()
            self._deliveries.check(config)
        except ConfigError as error:
            log.error("new configuration rejected, keeping the former one", error=str(error))
            return None
        except Exception as error:  # noqa: BLE001  No file ends a process that delivers.
            log.error("new configuration rejected, keeping the former one", error=repr(error))
            return None
        planned = {name: getattr(config.delivery, name) for name in Planned.model_fields}
        delivery = self._config.delivery.model_copy(update=planned)
        if (config.kafka, config.delivery) != (self._config.kafka, delivery):
            log.warning("changed keys need a restart", keys=["kafka", "delivery"])
        applied = {"destinations": config.destinations, "sources": config.sources}
        return self._config.model_copy(update={**applied, "delivery": delivery})

    async def _apply(self, config: Config, tasks: asyncio.TaskGroup) -> None:
        """Apply the destinations; if that fails, deliver to the former ones again."""
        try:
            await self._deliveries.apply(config, tasks)
        except Exception as error:  # noqa: BLE001  As above.
            log.error("new configuration rejected, keeping the former one", error=repr(error))
            await self._deliveries.apply(self._config, tasks)
            return
        self._config = config
        log.info("configuration reloaded", destinations=len(config.destinations))


def admin_app(deliveries: Deliveries) -> FastAPI:
    app = FastAPI(title="ampgate delivery", openapi_url=None)

    @app.get("/healthz")
    async def healthz(response: Response) -> dict[str, object]:
        stuck = [worker.name for worker in deliveries.workers if worker.is_stuck]
        if stuck:
            response.status_code = 503
        return {"status": "stuck" if stuck else "alive", "stuck": stuck}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, object]:
        workers = [worker for worker in deliveries.workers if not worker.is_leaving]
        paused = {worker.name: worker.paused for worker in workers if worker.paused}
        restarting = [worker.name for worker in workers if not worker.is_running]
        is_reached = workers and all(worker.is_reached for worker in workers)
        missing = sorted({worker.missing for worker in workers if worker.missing})
        status = "ready" if is_reached else "waiting for Kafka"
        if deliveries.workers and not workers:
            status = "draining"
        if not deliveries.suppressed.is_known and deliveries.suppressed.is_forbidden:
            status = "suppressions may not be read"
        if missing:
            status = "topic does not exist"
        if paused:
            status = "paused"
        if restarting:
            status = "restarting"
        if deliveries.letters.is_failing:
            status = "dead letters and parked records cannot be written"
        if status != "ready":
            response.status_code = 503
        return {"status": status, "paused": paused, "restarting": restarting, "missing": missing}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app
