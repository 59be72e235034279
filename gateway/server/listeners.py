"""The edge's listening sockets: bound before it starts, shared with its successor."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.configuration.config import ConfigError, Edge


@dataclass(frozen=True, slots=True)
class Listeners:
    public: list[socket.socket]
    admin: list[socket.socket]

    def __iter__(self) -> Iterator[socket.socket]:
        yield from self.public
        yield from self.admin


def listen(edge: Edge) -> Listeners:
    """Bind the addresses; `ConfigError` if one cannot be bound."""
    public = _bound("edge", edge.host, edge.port)
    if edge.admin_port is None:
        return Listeners(public, [])
    return Listeners(public, _bound("edge.admin_port", edge.admin_host, edge.admin_port))


def _bound(key: str, host: str, port: int) -> list[socket.socket]:
    """With `SO_REUSEPORT`: a successor can listen before this process stops."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # Alone, `::` takes IPv4, too; beside an IPv4 address of the same name it must not.
        is_alone = len(addresses) == 1
        return [
            _listener(family, address, takes_both=is_alone)
            for family, _, _, _, address in addresses
        ]
    except OSError as error:
        raise ConfigError(f"{key}: cannot listen on {host}:{port}: {error}") from error


def _listener(family: int, address: tuple[object, ...], *, takes_both: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not takes_both)
    listener.bind(address)
    listener.setblocking(False)
    return listener
