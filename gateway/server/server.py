"""The edge as a process: it listens, reloads its configuration on SIGHUP, and ends cleanly."""

import asyncio
import contextlib
import gc
import math
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvicorn

from gateway.server.connections import LEAVE_SECONDS, Connection
from gateway.server.crowd import Crowd
from gateway.server.listeners import Listeners, listen
from gateway.server.ports import BACKLOG, Handshakes, Port
from gateway.server.reloading import Load, read_again
from gateway.server.tls import Certificate, certificate_of, renew
from gateway.spool.opening import check_spool
from schemas.configuration.config import Config

if TYPE_CHECKING:
    from gateway.edge.app import Application

# Together below 10 s: answer requests in flight, then let the last batches reach Kafka.
GRACE_SECONDS = 6
KEEP_ALIVE_SECONDS = 75  # Above the 60 s for which load balancers keep a connection open.
FILES_BESIDE = 200  # For the admin port, Kafka, logs and libraries.
ADMIN_CONNECTIONS = 100  # Of the admin port, besides `max_connections`.
GARBAGE_MIN = 50_000  # Allocations between runs of the garbage collector; Python's default is 700.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = structlog.get_logger()


def serve(config: Config, load: Load | None = None) -> None:
    """Run until SIGINT or SIGTERM; SIGHUP applies what `load` then returns."""
    # Signals wait until there are handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    needed = config.edge.max_connections // config.edge.workers + FILES_BESIDE
    if (allowed := allow_many_connections()) < needed:
        log.warning("too few open files for max_connections", allowed=allowed, needed=needed)
    certificate = certificate_of(config.edge)
    check_spool(config.edge)
    listeners = listen(config.edge)
    if config.edge.workers == 1:
        work(config, load, listeners, certificate)
    else:
        from gateway.server.workers import Workers  # It imports this module.

        Workers(config, load, listeners, certificate).run()


def allow_many_connections() -> float:
    """Raise the limit of open files to the maximum; returns the limit."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if now == resource.RLIM_INFINITY else now


def work(
    config: Config,
    load: Load | None,
    listeners: Listeners,
    certificate: Certificate | None,
    shared: Path | None = None,
    parent: int | None = None,
) -> None:
    """Serve from this process, until a signal or the end of the parent process (its pipe
    closes)."""
    server = Server(config, load, listeners, certificate, shared, parent)
    # Requests have no cycles: collecting often took a seventh of the time.
    gc.set_threshold(GARBAGE_MIN, 20, 100)
    gc.freeze()
    server.run(list(listeners))


def _app(config: Config, shared: Path | None) -> "Application":
    """The application; rates and wrong keys are files in `shared`, if there are several workers."""
    # The parent of several workers needs none of them.
    from gateway.edge.app import create_app
    from gateway.edge.shared_rates import SharedBucket
    from gateway.edge.sources import own_rate
    from gateway.edge.wrong_keys import WrongKeys

    if shared is None:
        return create_app(config, new_rate=own_rate)
    return create_app(
        config,
        new_rate=lambda source, rate: SharedBucket(shared / f"{source}-{rate}.rate", rate),
        wrong_keys=WrongKeys(shared / "wrong-keys"),
    )


def _serving(app: "Application") -> uvicorn.Config:
    async def tick() -> None:
        app.ingest.metrics.tick()

    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        loop="auto",  # uvloop, if it is installed.
        lifespan="on",
        access_log=False,
        proxy_headers=False,  # The edge handles proxies' headers itself.
        server_header=False,
        log_level="error",
        log_config=None,  # uvicorn logs with our handlers.
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        callback_notify=tick,
        timeout_notify=1,
    )


class Server(uvicorn.Server):
    def __init__(
        self,
        config: Config,
        load: Load | None,
        listeners: Listeners,
        certificate: Certificate | None,
        shared: Path | None,
        parent: int | None,
    ) -> None:
        self._current = config
        self._load = load
        self._certificate = certificate
        self._parent = parent
        self.app = _app(config, shared)
        self._crowd = Crowd(self.app.ingest.budget)
        most = max(1, config.edge.max_connections // config.edge.workers)
        tls = None if certificate is None else certificate.context
        self._ports = [
            *(Port(one, self.app, most, tls) for one in listeners.public),
            # Probes and scrapes are answered even when all connections are in use.
            *(
                Port(one, self.app.admin or self.app, most + ADMIN_CONNECTIONS, None)
                for one in listeners.admin
            ),
        ]
        self._handshakes: list[Handshakes] = []
        super().__init__(_serving(self.app))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._read_again)
        if self._parent is not None:
            loop.add_reader(self._parent, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        yield

    def _stop(self) -> None:
        self.should_exit = True
        self.app.ending.set()
        if self._parent is not None:
            asyncio.get_running_loop().remove_reader(self._parent)

    def _read_again(self) -> None:
        quiet = self._parent is not None
        changed = read_again(self._current, self._load, self._apply, quiet=quiet)
        if changed is not None:
            self._current = changed

    def _apply(self, changed: Config) -> None:
        renew(self._certificate, changed)
        self.app.ingest.apply(changed)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Log that the ports are open: the process before this one may stop now."""
        await super().startup([])
        loop = asyncio.get_running_loop()
        for port in self._ports:
            make = partial(self._connection, port)
            if port.tls is None:
                listening = await loop.create_server(make, sock=port.listener, backlog=BACKLOG)
                self.servers.append(listening)
            else:
                self._handshakes.append(Handshakes(port, make))
        edge = self._current.edge
        log.info("listening", host=edge.host, port=edge.port, admin_port=edge.admin_port)

    def _connection(self, port: Port) -> Connection:
        return Connection(
            self.config,
            self.server_state,
            self.lifespan.state,
            crowd=self._crowd,
            connections_max=port.connections_max,
            app=port.app,
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept the connections in the backlog, stop listening, and answer all requests."""
        for handshakes in self._handshakes:
            handshakes.stop()
        while waiting := self._accept_waiting():
            await asyncio.gather(*(self._connect(*one) for one in waiting))
        await super().shutdown(sockets)

    def _accept_waiting(self) -> list[tuple[Port, socket.socket]]:
        waiting: list[tuple[Port, socket.socket]] = []
        for port in self._ports:
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting.append((port, port.listener.accept()[0]))
        return waiting

    async def _connect(self, port: Port, connection: socket.socket) -> None:
        connection.setblocking(False)
        make = partial(self._connection, port)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # A failed handshake concerns only its client.
            await loop.connect_accepted_socket(make, connection, **port.options(LEAVE_SECONDS))
