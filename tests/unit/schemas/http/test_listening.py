"""What every server of ours listens on, in IPv4 and IPv6."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from fastapi import FastAPI

from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import ConfigError
from schemas.http.listening import AdminServer, bound
from tests.eventually import eventually
from tests.loopback import loopback_client

needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


@contextmanager
def taken(host: str) -> Iterator[int]:
    """A port that somebody has."""
    [listener] = bound("test", host, 0, shared=False)
    with closing(listener):
        listener.listen()
        yield listener.getsockname()[1]


@needs_ipv6
@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
async def test_health_is_answered_over_ipv4_and_ipv6_when_the_host_is_every_address(
    address: str,
) -> None:
    app = FastAPI()
    app.add_api_route("/healthz", lambda: {"status": "alive"})
    server = AdminServer(app)
    [listener] = sockets = bound("delivery.admin_port", "::", 0, shared=False)
    serving = asyncio.create_task(server.serve(sockets))
    await eventually(lambda: server.started)
    async with loopback_client() as client:
        answer = await client.get(f"http://{address}:{listener.getsockname()[1]}/healthz")
    server.should_exit = True
    await serving

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@needs_ipv6
def test_an_ipv6_address_alone_takes_no_ipv4() -> None:
    # None that the system gives to others: somebody else may have an IPv4 port of its number.
    [port] = free_ports(1)
    [listener] = bound("edge", "::1", port, shared=True)
    with closing(listener):
        listener.listen()
        socket.create_connection(("::1", port), 5).close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), 5)


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::", marks=needs_ipv6)])
def test_a_port_that_another_process_has_is_named_with_its_key(host: str) -> None:
    with taken(host) as port, pytest.raises(ConfigError) as raised:
        bound("delivery.admin_port", host, port, shared=False)

    assert str(raised.value).startswith(f"delivery.admin_port: cannot listen on {host}:{port}: ")


def test_a_host_that_is_not_this_machine_is_named_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"^edge: cannot listen on 192\.0\.2\.1:8080: "):
        bound("edge", "192.0.2.1", 8080, shared=True)


async def test_a_successor_may_share_the_port() -> None:
    [first] = bound("edge", "127.0.0.1", 0, shared=True)
    with closing(first):
        port = first.getsockname()[1]
        [second] = bound("edge", "127.0.0.1", port, shared=True)
        with closing(second):
            assert second.getsockname()[1] == port
