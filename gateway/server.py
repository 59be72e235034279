"""The edge as a process: it listens, reads its configuration again on SIGHUP, and ends cleanly."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import structlog
import uvicorn

from gateway.reloading import Load, read_again
from schemas.config import Config, ConfigError, Edge

# Together below 10 s: answer what is in flight, then let the last batches reach Kafka.
GRACE_SECONDS = 6
KEEP_ALIVE_SECONDS = 75  # Above the 60 s for which load balancers keep a connection open.
BACKLOG = 4_096
GARBAGE_MIN = 50_000  # Objects, before the collector looks; Python's own is 700.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = structlog.get_logger()


def serve(config: Config, load: Load | None = None) -> None:
    """Run until SIGINT or SIGTERM; SIGHUP applies what `load` then returns."""
    # Until somebody listens to them, signals wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    allow_many_connections()
    listeners = listen(config.edge)
    if config.edge.workers == 1:
        work(config, load, listeners)
    else:
        from gateway.workers import Workers  # It must come before prometheus_client.

        Workers(config, load, listeners).run()


def listen(edge: Edge) -> list[socket.socket]:
    """Bound, and shared with whoever else binds so: a successor can be there before we leave."""
    try:
        addresses = socket.getaddrinfo(
            edge.host, edge.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return [_bound(family, address) for family, _, _, _, address in addresses]
    except OSError as error:
        raise ConfigError(f"edge: cannot listen on {edge.host}:{edge.port}: {error}") from error


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(address)
    listener.setblocking(False)
    return listener


def allow_many_connections() -> None:
    """As many open files as the system lets us have."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def work(
    config: Config,
    load: Load | None,
    listeners: list[socket.socket],
    shared: Path | None = None,
    parent: int | None = None,
) -> None:
    """Serve from this process, until a signal or the end of the `parent`, whose pipe it is."""
    server = Server(config, load, listeners, shared, parent)
    # What requests hold are no cycles: to look through it again and again cost a seventh.
    gc.set_threshold(GARBAGE_MIN, 20, 100)
    gc.freeze()
    server.run(listeners)


class Server(uvicorn.Server):
    def __init__(
        self,
        config: Config,
        load: Load | None,
        listeners: list[socket.socket],
        shared: Path | None,
        parent: int | None,
    ) -> None:
        from gateway.app import create_app  # After prometheus_client was told of the workers.
        from gateway.connections import Connection
        from gateway.shared_rates import SharedBucket
        from gateway.sources import own_rate

        def shared_rate(source: str, rate: float) -> SharedBucket:
            assert shared is not None
            return SharedBucket(shared / f"{source}-{rate}.rate", rate)

        self._current = config
        self._load = load
        self._listeners = listeners
        self._parent = parent
        self.app = create_app(config, new_rate=own_rate if shared is None else shared_rate)

        connection = partial(
            Connection, connections_max=max(1, config.edge.max_connections // config.edge.workers)
        )
        self._connection = lambda: connection(
            self.config, self.server_state, self.lifespan.state, None
        )

        async def tick() -> None:
            self.app.ingest.metrics.tick()

        super().__init__(
            uvicorn.Config(
                self.app,
                http=connection,  # type: ignore[arg-type]  # Whatever makes one.
                ws="none",
                loop="auto",  # uvloop where there is one.
                lifespan="on",
                access_log=False,
                proxy_headers=False,  # Which proxies to believe is ours to say.
                server_header=False,
                log_level="error",
                log_config=None,  # Its lines go where all lines go.
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                callback_notify=tick,
                timeout_notify=1,
            )
        )

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
        if self._parent is not None:
            asyncio.get_running_loop().remove_reader(self._parent)

    def _read_again(self) -> None:
        changed = read_again(self._current, self._load, quiet=self._parent is not None)
        if changed is None:
            return
        try:
            self.app.ingest.apply(changed)
        except Exception as error:  # noqa: BLE001  As for reading it.
            log.error("the new configuration is not used", why=repr(error))
        else:
            self._current = changed

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when we can be reached: a predecessor may go now."""
        await super().startup(sockets)
        log.info("listening", host=self._current.edge.host, port=self._current.edge.port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take in who already waits at the door, close it, and answer everybody."""
        while waiting := self._accept_waiting():
            for connection in waiting:
                await self._connect(connection)
        await super().shutdown(sockets)

    def _accept_waiting(self) -> list[socket.socket]:
        waiting: list[socket.socket] = []
        for listener in self._listeners:
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting.append(listener.accept()[0])
        return waiting

    async def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(self._connection, connection)
