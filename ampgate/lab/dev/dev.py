"""`ampgate dev`: everything on one machine, for as long as this process lives."""

import asyncio
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType

from rich.console import Console

from ampgate import topics
from ampgate.errors import CommandError
from ampgate.lab.dev.announcement import announce
from ampgate.lab.dev.child import Child
from ampgate.lab.dev.configuration import CONFIGURATION_FILE, FIRST_LINE, Options, configure
from ampgate.lab.dev.pulls import simulators_of
from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import is_free
from schemas.configuration.config import Config

POLL_SECONDS = 0.1
READY_SECONDS = 60.0
KAFKA_STOP_SECONDS = 3.5
KAFKA_VARIABLE = "AMPGATE_KAFKA__BOOTSTRAP_SERVERS"


def run(options: Options, console: Console) -> None:
    """Return after Ctrl-C or SIGTERM, with everything stopped; `CommandError` on failure."""
    with interruptible(), ExitStack() as stack:
        try:
            make_data_dir(options.data_dir)
            with console.status("starting") as status:
                bootstrap_servers, look_after_kafka = os.environ.get(KAFKA_VARIABLE), None
                if bootstrap_servers is None:
                    kafka = stack.enter_context(
                        EmbeddedKafka(
                            options.data_dir / "kafka",
                            port=options.kafka_port,
                            stop_timeout_seconds=KAFKA_STOP_SECONDS,
                            progress=status.update,
                        )
                    )
                    bootstrap_servers, look_after_kafka = kafka.bootstrap_servers, kafka.look_after
                config = configure(options, bootstrap_servers)
                require_free_ports(config, options)
                status.update("creating topics")
                asyncio.run(topics.create(config.kafka))
            supervise(children(options), config, options, console, look_after_kafka)
        except KeyboardInterrupt:
            console.print("stopping")


def make_data_dir(path: Path) -> None:
    """For its owner only: records and keys are in it."""
    try:
        path.mkdir(0o700, parents=True, exist_ok=True)
        if (file := path / CONFIGURATION_FILE).exists():
            if FIRST_LINE not in file.read_text(errors="replace"):
                says = f"{file} is not of ampgate dev, which would write it anew"
                raise CommandError(f"{says}; --data-dir names another place")
            path.chmod(0o700)  # Ours, made when others could still read it.
        with TemporaryFile(dir=path):  # One that is there may be another user's.
            pass
    except OSError as error:
        raise CommandError(
            f"nothing can be kept in {path}: {error.strerror}; --data-dir names another place"
        ) from error


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM stops us as Ctrl-C does; the second of either changes nothing."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for number in previous:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    for number in previous:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def require_free_ports(config: Config, options: Options) -> None:
    wanted: dict[str, int] = {
        "the edge": config.edge.port,
        "the delivery": config.delivery.admin_port,
        "the console": config.console.port,
        "the Amplitude simulator": options.amplitude_port,
        "the Aampe simulator": options.aampe_port,
    }
    if config.edge.admin_port is not None:
        wanted["the edge's admin port"] = config.edge.admin_port
    if options.pulls is not None:
        wanted["the pulls"] = config.pull.admin_port
        for kind, port in simulators_of(options.pulls).items():
            wanted[f"the {kind} simulator"] = port
    taken = [f"{port} (for {name})" for name, port in wanted.items() if not is_free(port)]
    if taken:
        raise CommandError(
            f"already taken by another program: port {', '.join(taken)}: end that one, or choose"
            " others (ampgate dev --help; AMPGATE_EDGE__PORT, AMPGATE_DELIVERY__ADMIN_PORT,"
            " AMPGATE_CONSOLE__PORT)"
        )


def children(options: Options) -> list[Child]:
    """In the order in which they start; they stop in the reverse one."""
    amplitude, aampe = str(options.amplitude_port), str(options.aampe_port)
    polled = {} if options.pulls is None else simulators_of(options.pulls)
    pulls = [Child("the pulls", ("pull",), 2.0)] if options.pulls is not None else []
    return [
        *(
            Child(f"the {kind} simulator", ("simulate", kind, "--port", str(port)), 0.5)
            for kind, port in polled.items()
        ),
        Child("the Amplitude simulator", ("simulate", "amplitude", "--port", amplitude), 0.5),
        Child("the Aampe simulator", ("simulate", "aampe", "--port", aampe), 0.5),
        Child("the console", ("console",), 2.5),
        Child("the delivery", ("deliver",), 3.0),
        *pulls,
        Child("the edge", ("edge",), 2.0),
    ]


def supervise(
    started: list[Child],
    config: Config,
    options: Options,
    console: Console,
    look_after_kafka: Callable[[], None] | None,
) -> None:
    """Keep the children alive until a signal comes; stop them then, the edge first.

    `CommandError` if our own Kafka ended, as without memory: nothing goes on without it.
    """
    edge = f"http://127.0.0.1:{config.edge.port}"
    deadline = time.monotonic() + READY_SECONDS
    announced = False
    try:
        while True:
            if look_after_kafka is not None:
                look_after_kafka()
            for child in started:
                child.look_after(console, time.monotonic())
            if not announced and is_ready(edge):
                announced = True
                announce(edge, config, options, console)
            if not announced and time.monotonic() > deadline:
                raise CommandError(f"the edge was not ready after {READY_SECONDS:g} s")
            time.sleep(POLL_SECONDS)
    finally:
        for child in reversed(started):
            child.stop()


def is_ready(edge: str) -> bool:
    try:
        with urllib.request.urlopen(f"{edge}/readyz", timeout=1) as answer:  # noqa: S310  Ours.
            return bool(answer.status == 200)
    except OSError:  # Also what urllib raises for a status that is not 2xx.
        return False
