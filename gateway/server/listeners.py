"""The edge's listening sockets: bound before it starts, shared with its successor."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.configuration.config import Edge
from schemas.http.listening import bound


@dataclass(frozen=True, slots=True)
class Listeners:
    public: list[socket.socket]
    admin: list[socket.socket]

    def __iter__(self) -> Iterator[socket.socket]:
        yield from self.public
        yield from self.admin


def listen(edge: Edge) -> Listeners:
    """Bind the addresses, shared: a successor can listen before this process stops."""
    public = bound("edge", edge.host, edge.port, shared=True)
    if edge.admin_port is None:
        return Listeners(public, [])
    admin = bound("edge.admin_port", edge.admin_host, edge.admin_port, shared=True)
    return Listeners(public, admin)
