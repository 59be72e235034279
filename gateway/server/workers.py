"""Several worker processes on one port: started, restarted when they die, ended together.

The parent holds the listening sockets, so no waiting connection is lost when a worker dies or is
replaced; it serves nothing itself, and runs no event loop: it forks.
"""

import multiprocessing
import os
import signal
import socket
import tempfile
import time
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

import structlog

from gateway.server.listeners import Listeners
from gateway.server.reloading import Load, read_again
from gateway.server.server import SIGNALS, work
from gateway.server.tls import Certificate, renew
from schemas.configuration.config import Config

WORKERS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
RESTART_SECONDS = 1.0
STOP_SECONDS = 10.0

log = structlog.get_logger()
_fork = multiprocessing.get_context("fork")


class Workers:
    def __init__(
        self,
        config: Config,
        load: Load | None,
        listeners: Listeners,
        certificate: Certificate | None,
    ) -> None:
        self._config = config
        self._load = load
        self._listeners = listeners
        self._certificate = certificate  # A restarted worker gets the newest one.
        self._running: list[ForkProcess] = []
        self._start_at = 0.0
        self._alive, self._life = os.pipe()  # It ends when the parent ends, in whatever way.

    def run(self) -> None:
        """Return after SIGINT or SIGTERM, when all workers have ended."""
        inbox, outbox = socket.socketpair()
        outbox.setblocking(False)
        signal.set_wakeup_fd(outbox.fileno())
        for number in SIGNALS:
            signal.signal(number, _noticed)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        with tempfile.TemporaryDirectory(prefix="ampgate-edge-") as directory:
            share_figures(directory)
            stopping = False
            while not stopping:
                self._look_after(Path(directory))
                sentinels = [worker.sentinel for worker in self._running]
                pause = max(0.0, self._start_at - time.monotonic()) if self._missing else None
                if inbox in wait([inbox, *sentinels], pause):
                    numbers = inbox.recv(64)  # Python writes each signal's number.
                    stopping = signal.SIGTERM in numbers or signal.SIGINT in numbers
                    if signal.SIGHUP in numbers:
                        self._read_again()
            self._stop()

    @property
    def _missing(self) -> int:
        return self._config.edge.workers - len(self._running)

    def _look_after(self, directory: Path) -> None:
        """Collect ended workers, and start missing ones after their backoff."""
        for worker in [worker for worker in self._running if not worker.is_alive()]:
            self._running.remove(worker)
            self._start_at = time.monotonic() + RESTART_SECONDS
            _forget_gauges(worker)
            log.error("worker ended, starting another", exit_status=worker.exitcode)
        if time.monotonic() >= self._start_at:
            while self._missing:
                self._running.append(self._started(directory))

    def _started(self, directory: Path) -> ForkProcess:
        # Signals are blocked until the child handles them.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        worker = _fork.Process(target=self._work, args=(directory,))
        worker.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return worker

    def _work(self, directory: Path) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._life)
        work(self._config, self._load, self._listeners, self._certificate, directory, self._alive)

    def _read_again(self) -> None:
        config = read_again(self._config, self._load, partial(renew, self._certificate))
        if config is None:
            return
        self._config = config
        for worker in self._running:
            _signal(worker, signal.SIGHUP)

    def _stop(self) -> None:
        # The parent's sockets first: the last worker to close accepts the whole backlog.
        for listener in self._listeners:
            listener.close()
        for worker in self._running:
            worker.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self._running:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive():
                log.error("worker did not end in time, killing it", waited_seconds=STOP_SECONDS)
                worker.kill()
                worker.join()


def share_figures(directory: str) -> None:
    """Metrics that are made from now on are files there, which all workers read.

    prometheus_client looks for the directory when it is imported, and may be imported by now.
    """
    os.environ[WORKERS_DIRECTORY] = directory
    from prometheus_client import values

    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]  # It has no types.


def _noticed(_number: int, _frame: object) -> None:
    """The number is in the inbox."""


def _signal(worker: ForkProcess, number: signal.Signals) -> None:
    if worker.pid is not None and worker.is_alive():
        os.kill(worker.pid, number)


def _forget_gauges(worker: ForkProcess) -> None:
    """Its counters stay; its gauges are removed."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # It has no types.
