"""The console as a process: its port, and the link that it prints."""

import signal
import socket

import pytest

from ampgate.console.server import serve
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Config, ConfigError


def on_port(port: int) -> Config:
    sections = {"kafka": {"bootstrap_servers": "127.0.0.1:1"}, "console": {"port": port}}
    return Config.model_validate(sections)


def test_a_port_that_is_taken_is_told_before_a_link_to_it_is_printed() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = on_port(port)
        with pytest.raises(ConfigError, match=rf"^console\.port: .*:{port}:"):
            serve(config, said.append, lambda: config)

    assert said == []


def test_a_made_token_is_printed_as_a_link() -> None:
    [port] = free_ports(1)
    config = on_port(port)
    said: list[str] = []

    def say(words: str) -> None:
        said.append(words)
        signal.raise_signal(signal.SIGTERM)

    serve(config, say, lambda: config)

    [words] = said
    assert words.startswith(f"sign in to the console: http://127.0.0.1:{port}/sign-in?token=")
