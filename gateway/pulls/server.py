"""The process that runs the pulls: signals, the configuration, and the admin's HTTP port."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.pulls.journal import Journal
from gateway.pulls.membership import Membership
from gateway.pulls.once import Once
from gateway.pulls.pulls import Progress, Pulls
from schemas.configuration.config import Config, ConfigError
from schemas.http.listening import AdminServer, bound
from schemas.kafka.log import Log
from schemas.topics import Kind
from schemas.vendors.pull import ConfiguredPull

ACK_SECONDS = 30.0
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
Load = Callable[[], Config]
log = structlog.get_logger()


def serve(config: Config, only: Sequence[str], load: Load) -> None:
    """Run the pulls, or only those named, on their schedules until SIGINT or SIGTERM.

    SIGHUP applies the pulls that `load` then returns.
    """
    check(config, only)
    try:
        asyncio.run(_serve(config, only, load))
    except SystemExit as ended:
        raise RuntimeError(f"a library ended the process with status {ended.code}") from ended


def run_once(
    config: Config, only: Sequence[str], load: Load, shown: Callable[[Progress], None]
) -> Mapping[str, Progress]:
    """Each pull that the group gives this process runs once; `shown` is called for each page."""
    check(config, only)
    return asyncio.run(_run_once(config, only, load, shown))


async def preview(
    config: Config, only: Sequence[str], load: Load, each: Callable[[bytes], None]
) -> None:
    """Hand over the values that a run of each pull would produce; nothing is stored."""
    check(config, only)
    async with opened_pulls(config, only, load) as pulls:
        for name, partition in (await pulls.everywhere()).items():
            await pulls.preview(name, partition, each)


def check(config: Config, only: Sequence[str]) -> None:
    known = {pull.name for pull in config.pulls}
    if not known:
        raise ConfigError("pulls: none is configured")
    if unknown := [name for name in only if name not in known]:
        raise ConfigError(f"pulls: no pull is called {unknown[0]}; there are {', '.join(known)}")


@asynccontextmanager
async def opened_pulls(config: Config, only: Sequence[str], load: Load) -> AsyncIterator[Pulls]:
    topics = config.kafka.topics
    written = (*map(topics.of, Kind), topics.dead_letters, *topics.compacted)
    store = Log(
        config.kafka,
        written,
        ack_timeout_seconds=ACK_SECONDS,
        on_outage="pulls wait, and go on from their last page",
    )
    store.connect()
    try:
        yield Pulls(config, only, Journal(config.kafka, store), store, _renewed(config, load))
    finally:
        await store.stop()


def _renewed(config: Config, load: Load) -> Callable[[str], ConfiguredPull]:
    """A pull as the configuration has it now: the file of a token may hold a newer one."""

    def read(name: str) -> ConfiguredPull:
        for find in (load, lambda: config):
            try:
                return next(pull for pull in find().pulls if pull.name == name)
            except (ConfigError, StopIteration) as error:
                log.warning("credentials could not be read again", pull=name, error=repr(error))
        raise ConfigError(f"pulls: no pull is called {name}")

    return read


async def _serve(config: Config, only: Sequence[str], load: Load) -> None:
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, signals.put_nowait, number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # Blocked by the command.
    sockets = bound("pull.admin_port", config.pull.admin_host, config.pull.admin_port, shared=False)
    async with opened_pulls(config, only, load) as pulls:
        membership = Membership(config.kafka, pulls.start, pulls.stop)
        admin = AdminServer(admin_app(pulls, membership))
        serving = asyncio.create_task(admin.serve(sockets), name="admin port")
        running = asyncio.create_task(_running(pulls, membership), name="group")
        stopping = asyncio.create_task(_until_stopped(signals, pulls, load), name="signals")
        parts = [serving, running, stopping]
        ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for part in (running, stopping):
            part.cancel()
        await asyncio.wait([running, stopping])
        admin.should_exit = True
        await asyncio.wait([serving])
    if stopping not in ended:
        raise ended_by_itself(ended.pop())


async def _running(pulls: Pulls, membership: Membership) -> None:
    """A pull that begins before anything can be written would only fail."""
    await pulls.reached()
    await membership.run()


async def _until_stopped(signals: asyncio.Queue[signal.Signals], pulls: Pulls, load: Load) -> None:
    while (number := await signals.get()) is signal.SIGHUP:
        await reload(pulls, load)
    log.info("stopping", signal=number.name)


def ended_by_itself(part: asyncio.Task[None]) -> RuntimeError:
    """Such a part ends the process, and never without a word."""
    found = RuntimeError(f"a part of this process ended by itself: {part.get_name()}")
    found.__cause__ = None if part.cancelled() else part.exception()
    return found


async def reload(pulls: Pulls, load: Load) -> None:
    """Apply the pulls of the configuration as it is now; a wrong one changes nothing."""
    try:
        config = load()
        check(config, pulls.only)
    except Exception as error:  # noqa: BLE001  No file ends a process that pulls.
        why = str(error) if isinstance(error, ConfigError) else repr(error)
        log.error("new configuration rejected, keeping the former one", error=why)
        return
    log.info("configuration reloaded", pulls=len(config.pulls))
    if (config.kafka, config.pull) != (pulls.config.kafka, pulls.config.pull):
        log.warning("changed keys need a restart", keys=["kafka", "pull"])
    await pulls.apply(config.pulls)


async def _run_once(
    config: Config, only: Sequence[str], load: Load, shown: Callable[[Progress], None]
) -> Mapping[str, Progress]:
    async with opened_pulls(config, only, load) as pulls:
        await pulls.everywhere()  # Without Kafka, or the topic, nobody is given any.
        runs = Once(pulls, shown)
        member = asyncio.create_task(Membership(config.kafka, runs.take, runs.leave).run())
        try:
            return await runs.all_ended()
        finally:
            member.cancel()
            await asyncio.wait([member])


def admin_app(pulls: Pulls, membership: Membership) -> FastAPI:
    app = FastAPI(title="ampgate pull", openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, object]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, object]:
        paused = {name: one.paused for name, one in pulls.schedules.items() if one.paused}
        status = "paused" if paused else "ready" if membership.is_reached else "waiting for Kafka"
        if status != "ready":
            response.status_code = 503
        return {"status": status, "paused": paused}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app
