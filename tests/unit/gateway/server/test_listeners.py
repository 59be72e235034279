"""The sockets on which the edge listens."""

import socket
from contextlib import closing

import pytest

from gateway.server.listeners import listen
from schemas.configuration.config import Edge


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_all_addresses_of_ipv6_take_ipv4_too(address: str) -> None:
    [listener] = listen(Edge(host="::", port=0)).public
    with closing(listener):
        listener.listen(1)
        with socket.create_connection((address, listener.getsockname()[1]), 5) as client:
            assert client.getpeername()[0] == address
