"""Listening sockets, IPv4 and IPv6, and a server of pages beside what a process is for."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from schemas.configuration.config import ConfigError


def bound(key: str, host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """Sockets bound to all addresses of the host; `ConfigError` if one cannot be bound.

    `::` takes IPv4 as well. If `shared`, another process may bind the same port.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # Beside an IPv4 address of the same name, an IPv6 one must not take IPv4, too.
        is_alone = len(addresses) == 1
        return [
            _listener(family, address, takes_both=is_alone, shared=shared)
            for family, _, _, _, address in addresses
        ]
    except OSError as error:
        raise ConfigError(f"{key}: cannot listen on {host}:{port}: {error}") from error


def _listener(
    family: int, address: tuple[object, ...], *, takes_both: bool, shared: bool
) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not takes_both)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


class AdminServer(uvicorn.Server):
    """Health, metrics, the console; signals are the process's own concern."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,  # uvicorn logs with our handlers.
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
