"""The embedded Kafka: the real Apache Kafka in KRaft mode, one to three nodes on this machine.

Theory of operation: every node is broker and controller at once, a Java process that ends with
this one (`ampgate.lab.parent_death`), configured by files written at each start. `cluster.json`
(`ampgate.lab.kafka.cluster`) and each node's records under `node-N/log` last.
Controllers listen on new ports at every start: the quorum is static configuration, so Kafka does
not mind. A start is over when each node names all of them in its answer to a Metadata request.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ampgate.errors import CommandError
from ampgate.lab import parent_death
from ampgate.lab.kafka.cluster import claim, lock
from ampgate.lab.kafka.jars import Progress, class_path, java_executable
from ampgate.lab.kafka.ports import free_ports, named_by
from ampgate.lab.kafka.settings import (
    HOST,
    broker_settings,
    log4j_settings,
    scram_options,
    with_listener,
    write_properties,
)

BROKERS_MAX = 3  # Enough for replication and elections; more would only cost memory.
JARS_DIR = Path("~/.cache/ampgate/kafka")  # Shared by all data directories of a user.
LOG_TAIL_LINES = 20
POLL_SECONDS = 0.05


class EmbeddedKafka:
    """A Kafka cluster that never outlives this process, and whose records do."""

    def __init__(
        self,
        data_dir: Path,
        *,
        brokers: int = 1,
        port: int | None = None,
        jars_dir: Path = JARS_DIR,
        settings: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        advertised: Mapping[int, int] | None = None,
        heap_megabytes: int = 512,
        start_timeout_seconds: float = 300.0,
        stop_timeout_seconds: float = 6.0,
        progress: Progress = lambda _message: None,
    ) -> None:
        """Node N listens on `port + N - 1`; without `port` on the last ones, else on free ones.

        Further `listeners` (by name, their security protocol) get free ports at each start; `users`
        (by name, their password) may log in to them with SCRAM, and exist from the first start on.
        `advertised` are the ports that clients are told, by node: of proxies before them.
        """
        assert 1 <= brokers <= BROKERS_MAX, f"1 to {BROKERS_MAX} brokers, not {brokers}"
        self.data_dir = data_dir.resolve()
        self.nodes = range(1, brokers + 1)
        self._port = port
        self._jars_dir = jars_dir.expanduser()
        self._settings = dict(settings or {})
        self._listeners = dict(listeners or {})
        self._listener_ports: dict[str, list[int]] = {}
        self._users = dict(users or {})
        self._advertised = dict(advertised or {})
        self._heap_megabytes = heap_megabytes
        self._start_timeout_seconds = start_timeout_seconds
        self._stop_timeout_seconds = stop_timeout_seconds
        self._progress = progress
        self._ports: Mapping[int, int] = {}
        self._class_path = ""
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._lock: IO[str] | None = None

    @property
    def bootstrap_servers(self) -> str:
        assert self._ports, "Kafka was not started"
        return ",".join(f"{HOST}:{port}" for port in self._told.values())

    @property
    def _told(self) -> Mapping[int, int]:
        """The ports that clients come to."""
        return {**self._ports, **self._advertised}

    def servers_of(self, listener: str) -> str:
        """The bootstrap servers of one of the further listeners."""
        return ",".join(f"{HOST}:{port}" for port in self._listener_ports[listener])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Return once clients can use every node; raise `CommandError` if that fails."""
        assert not self._running, "Kafka was started twice"
        self._class_path = class_path(self._jars_dir, self._progress)
        began = time.monotonic()
        try:
            self._lock = lock(self.data_dir)
            cluster = claim(self.data_dir, self.nodes, self._port)
            self._ports = cluster.ports
            self._write_configuration()
            self._format(cluster.id)
            self._progress("starting Kafka")
            for node in self.nodes:
                self._running[node] = self._spawn(node, "kafka.Kafka")
            self._await_ready(self.nodes)
        except BaseException:
            self.stop()
            raise
        self._progress(f"Kafka is up after {time.monotonic() - began:.1f} s")

    def stop(self) -> None:
        """Let every node finish what it writes; kill what has not ended in time."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + self._stop_timeout_seconds
        for node, process in list(self._running.items()):
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            self.kill(node)
        if self._lock:
            self._lock.close()

    def kill(self, node: int) -> None:
        """End `node` as a power cut would: `kill -9`."""
        process = self._running.pop(node)
        process.kill()
        process.wait()

    def restart(self, node: int) -> None:
        """Start a killed `node` again, on its port and records; return once it serves."""
        assert node not in self._running, f"node {node} still runs"
        self._running[node] = self._spawn(node, "kafka.Kafka")
        self._await_ready([node])

    def look_after(self) -> None:
        """Raise `CommandError` if a node has ended by itself."""
        for node, process in self._running.items():
            if process.poll() is not None:
                raise self._failure(node, f"it ended with status {process.returncode}")

    @property
    def running(self) -> Mapping[int, subprocess.Popen[bytes]]:
        """The processes of nodes that were not killed."""
        return self._running

    def port(self, node: int) -> int:
        """Where `node` itself listens."""
        return self._ports[node]

    def _write_configuration(self) -> None:
        controller_ports = dict(zip(self.nodes, free_ports(len(self.nodes)), strict=True))
        self._listener_ports = {name: free_ports(len(self.nodes)) for name in self._listeners}
        for node in self.nodes:
            node_dir = self._node_dir(node)
            # Java unpacks native libraries there, and one that is killed leaves them behind.
            shutil.rmtree(node_dir / "tmp", ignore_errors=True)
            (node_dir / "tmp").mkdir(parents=True)
            settings = broker_settings(
                node=node,
                ports=self._ports,
                told=self._told,
                controller_ports=controller_ports,
                log_dir=node_dir / "log",
            )
            for name, protocol in self._listeners.items():
                port = self._listener_ports[name][node - 1]
                settings = with_listener(settings, name, protocol, port)
            write_properties(node_dir / "server.properties", settings | self._settings)
            write_properties(node_dir / "log4j2.properties", log4j_settings(node_dir / "kafka.log"))

    def _format(self, cluster_id: str) -> None:
        """Make the storage of every new node one of this cluster."""
        tool = (
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster_id,
            *scram_options(self._users),
            "-c",
        )
        for node in self.nodes:
            if not (self._node_dir(node) / "log" / "meta.properties").exists():
                self._progress(f"preparing the storage of node {node}")
                self._running[node] = self._spawn(node, *tool)
        while self._running:
            node, process = self._running.popitem()
            if process.wait(self._start_timeout_seconds) != 0:
                raise self._failure(node, "its storage could not be prepared")

    def _spawn(self, node: int, *program: str) -> subprocess.Popen[bytes]:
        """Run a program of Kafka for `node`, with the node's configuration as last argument."""
        node_dir = self._node_dir(node)
        java: list[str | Path] = [
            *(java_executable(), "-cp", self._class_path),
            f"-Xmx{self._heap_megabytes}m",
            "-XX:+UseSerialGC",  # The fewest threads and the least memory.
            "-XX:+ExitOnOutOfMemoryError",
            # What Kafka 4.1 still does, and newer Javas warn about.
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            f"-Djava.io.tmpdir={node_dir / 'tmp'}",
            f"-Dlog4j2.configurationFile={(node_dir / 'log4j2.properties').as_uri()}",
        ]
        command = [*java, *program, node_dir / "server.properties"]
        with (node_dir / "java.log").open("wb") as output:
            # SIGKILL at our death: the next start finds its ports and files free at once.
            return parent_death.spawn(command, at_death=signal.SIGKILL, output=output)

    def _await_ready(self, nodes: Iterable[int]) -> None:
        """Wait until each of `nodes` itself says that every running node serves."""
        deadline = time.monotonic() + self._start_timeout_seconds
        for node in nodes:
            while not named_by(self._ports[node]) >= self._running.keys():
                if self._running[node].poll() is not None:
                    raise self._failure(node, "it ended while starting")
                if time.monotonic() > deadline:
                    raise self._failure(
                        node, f"it was not ready after {self._start_timeout_seconds:g} s"
                    )
                time.sleep(POLL_SECONDS)

    def _failure(self, node: int, reason: str) -> CommandError:
        """What to raise about `node`: with the last lines of Kafka's log, and Java's own words."""
        node_dir = self._node_dir(node)
        tail: list[str] = []
        for log in (node_dir / "kafka.log", node_dir / "java.log"):
            with suppress(FileNotFoundError):
                tail += log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        headline = f"Kafka node {node} failed: {reason}. The end of {node_dir}/*.log:"
        return CommandError("\n  ".join([headline, *tail]))

    def _node_dir(self, node: int) -> Path:
        return self.data_dir / f"node-{node}"
