"""What the embedded Kafka keeps of itself between two starts, for one process at a time."""

import base64
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ampgate.errors import CommandError

if sys.platform != "win32":
    import fcntl

from ampgate.lab.kafka.ports import free_ports, is_free


@dataclass(frozen=True, slots=True)
class Cluster:
    """Its id, and the port of each node that clients know."""

    id: str
    ports: Mapping[int, int]


def lock(data_dir: Path) -> IO[str]:
    """Make sure that no other process writes there; the lock ends with us, however we end."""
    data_dir.mkdir(parents=True, exist_ok=True)
    file = (data_dir / "lock").open("w")
    if sys.platform != "win32":  # There, Kafka's own lock has to do.
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise CommandError(f"another Kafka runs on {data_dir}") from error
    return file


def claim(data_dir: Path, nodes: Sequence[int], first_port: int | None) -> Cluster:
    """The cluster there, or a new one; its ports are decided, and both remembered."""
    state = data_dir / "cluster.json"
    known = json.loads(state.read_text()) if state.exists() else {}
    cluster_id: str = known.get("cluster_id") or new_cluster_id()
    last_ports: list[int] = known.get("ports") or []
    if last_ports and len(last_ports) != len(nodes):
        raise CommandError(
            f"{data_dir} holds a cluster of {len(last_ports)} brokers, not "
            f"{len(nodes)}: start it with as many, or use another directory"
        )
    ports = _choose_ports(len(nodes), first_port, last_ports)
    partial = state.with_suffix(".partial")
    partial.write_text(json.dumps({"cluster_id": cluster_id, "ports": ports}))
    partial.replace(state)
    return Cluster(cluster_id, dict(zip(nodes, ports, strict=True)))


def _choose_ports(count: int, first_port: int | None, last_ports: list[int]) -> list[int]:
    if first_port is None:
        usable = last_ports and all(is_free(port) for port in last_ports)
        return last_ports if usable else free_ports(count)
    ports = [first_port + number for number in range(count)]
    for port in ports:
        if not is_free(port):
            raise CommandError(
                f"port {port}, meant for Kafka, is taken by another program:"
                " end that one, or choose another port"
            )
    return ports


def new_cluster_id() -> str:
    """A random id in Kafka's form; not one that its tools would take for an option."""
    encoded = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return encoded if encoded[0] != "-" else new_cluster_id()
