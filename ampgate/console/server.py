"""The console as a process: its port, its signals, and the looks in the background."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from ampgate.console.access import access_of, link
from ampgate.console.app import create_app
from ampgate.console.desk import Desk
from schemas.configuration.config import Config, ConfigError
from schemas.http.listening import AdminServer, bound

log = structlog.get_logger()


def serve(config: Config, say: Callable[[str], None], load: Callable[[], Config]) -> None:
    """Until SIGINT or SIGTERM; `say` prints a sign-in link, if the token was made here.

    SIGHUP applies the sources, destinations and pulls that `load` then returns.
    """
    asyncio.run(_serve(config, say, load))


async def _serve(config: Config, say: Callable[[str], None], load: Callable[[], Config]) -> None:
    # First: whoever has the port already would be sent the token of a link.
    sockets = bound("console.port", config.console.host, config.console.port, shared=False)
    access, made = access_of(config.console)
    app = create_app(config, access, _looking)
    server = AdminServer(app)
    loop = asyncio.get_running_loop()
    desk: Desk = app.state.desk

    def stop() -> None:
        server.should_exit = True
        desk.stopping.set()  # Open streams end by themselves.

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload, desk, load)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])  # Blocked by the command.
    if made is not None:
        say(f"sign in to the console: {link(config.console, made)}")
    log.info("console started", url=link(config.console))
    await server.serve(sockets)


def reload(desk: Desk, load: Callable[[], Config]) -> None:
    """What needs a restart stays as it is: Kafka, the port, the tokens."""
    try:
        new = load()
    except ConfigError as error:
        log.error("new configuration rejected, keeping the former one", error=str(error))
        return
    except Exception as error:  # noqa: BLE001  As an edge and a delivery take it.
        log.error("new configuration rejected, keeping the former one", error=repr(error))
        return
    lists = {"sources": new.sources, "destinations": new.destinations, "pulls": new.pulls}
    desk.config = desk.config.model_copy(update=lists)
    desk.figures.apply(desk.config)
    log.info("configuration reloaded", destinations=len(new.destinations))


@asynccontextmanager
async def _looking(app: FastAPI) -> AsyncIterator[None]:
    looking = asyncio.create_task(app.state.desk.figures.run())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])
        await app.state.desk.runs.stop()
