"""What every test may ask for: a running Kafka, and a name of its own in it."""

import gc
import logging
import os
import signal
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import pytest
import structlog
from hypothesis import HealthCheck, settings
from testcontainers.core.docker_client import DockerClient
from xdist.workermanage import WorkerController

from ampgate.lab.kafka import ports
from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.lab.kafka.ports import free_ports
from tests.kafka_in_docker import KAFKA_IMAGE, kafka_container, needed_images, why_not
from tests.kafka_start import java_options

# A busy machine is no defect: time is judged by `make bench` alone. The examples are the same each
# time, so that no change fails by chance; `quick` draws others.
LENIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", LENIENT, max_examples=30)
settings.register_profile("ampgate", LENIENT, derandomize=True)
settings.load_profile("ampgate")

WORKERS = 16  # Of pytest-xdist, at the most, with ports of their own.
WHICH_KAFKA = pytest.StashKey[str]()


def pytest_configure() -> None:
    """What the processes have that tests start."""
    # A shell that runs us in the background ignores SIGINT, and so would our children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(java_options())
    # Processes of pytest-xdist choose from ports of their own: a port that one was given is free
    # to the others until what is told of it listens.
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports.CHOSEN_FROM = ports.CHOSEN_FROM[number % WORKERS :: WORKERS]


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka that takes records, wherever it runs."""

    bootstrap_servers: str


@pytest.fixture(scope="session")
def kafka(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Broker]:
    """The Kafka you named, else one in Docker, else the embedded one; the same for all tests."""
    if named := os.environ.get("AMPGATE_KAFKA__BOOTSTRAP_SERVERS"):
        pytestconfig.stash[WHICH_KAFKA] = named
        yield Broker(named)
    elif reason := why_not(needed_images()):
        pytestconfig.stash[WHICH_KAFKA] = f"the embedded one, as Docker cannot run it: {reason}"
        with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as embedded:
            yield Broker(embedded.bootstrap_servers)
    else:
        pytestconfig.stash[WHICH_KAFKA] = f"{KAFKA_IMAGE} in Docker"
        host, [port] = DockerClient().host(), free_ports(1)
        with kafka_container(host, port):
            yield Broker(f"{host}:{port}")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command that runs in a test's process says where its logs go; the next test has its own."""
    root = logging.getLogger()
    handlers, level, configured = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Nothing is collected while a report is made, as a report parses source.

    Before CPython 3.11.8 all parsers share one count of depth (gh-106905): a finalizer that logs a
    traceback parses in the midst of that, and `SystemError` would end the whole run.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if was_enabled:
            gc.enable()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that nobody can read are no name: gzip's differ by the second, and so by process."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist tells the one that sums up."""
    told: dict[str, str] | None = getattr(session.config, "workeroutput", None)
    if told is not None and (which := session.config.stash.get(WHICH_KAFKA, None)):
        told["kafka"] = which


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    if which := getattr(node, "workeroutput", {}).get("kafka"):
        node.config.stash[WHICH_KAFKA] = which


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what the tests ran against: it depends on the machine."""
    if which := config.stash.get(WHICH_KAFKA, None):
        terminalreporter.write_line(f"Kafka: {which}")


@pytest.fixture(scope="session")
def unused_tcp_port_factory() -> Callable[[], int]:
    """Instead of pytest-asyncio's, whose ports the system may give to others meanwhile."""
    return lambda: free_ports(1)[0]


@pytest.fixture
def unused_tcp_port(unused_tcp_port_factory: Callable[[], int]) -> int:
    return unused_tcp_port_factory()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}."
