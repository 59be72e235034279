"""Free ports stay free until the process that is told of them listens."""

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from ampgate.lab.kafka import ports as ports_of_kafka
from ampgate.lab.kafka.ports import CHOSEN_FROM, free_ports, is_free
from ampgate.lab.kafka.settings import HOST

GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.skipif(not GIVEN.exists(), reason="only Linux tells which ports it gives")
def test_a_free_port_is_none_that_the_system_gives_to_others() -> None:
    first, last = map(int, GIVEN.read_text().split())
    if first < CHOSEN_FROM.stop:
        pytest.skip(f"this machine gives ports from {first} on")
    assert not {port for port in free_ports(100) if first <= port <= last}


def test_free_ports_are_as_many_as_asked_for_and_each_can_be_listened_on() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    with ExitStack() as listening:
        for port in ports:
            listening.enter_context(socket.create_server((HOST, port)))
            assert not is_free(port)


def test_two_processes_are_told_of_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither listens yet."""
    monkeypatch.setattr(ports_of_kafka, "CHOSEN_FROM", range(20_000, 20_030))
    ours = free_ports(12)
    other = (
        "from ampgate.lab.kafka import ports;"
        "ports.CHOSEN_FROM = range(20_000, 20_030); print(*ports.free_ports(12))"
    )
    found = subprocess.run([sys.executable, "-c", other], check=True, capture_output=True)

    assert not set(ours) & set(map(int, found.stdout.split()))
