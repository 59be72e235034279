"""What a reload changes, and what waits for a restart."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.server.reloading import needs_restart, read_again
from schemas.configuration.config import Config, ConfigError

OTHER = {
    "host": "127.0.0.2",
    "port": 1,
    "admin_port": 2,
    "workers": 3,
    "path_prefix": "/other",
    "ack_timeout_seconds": 4.0,
    "max_connections": 5,
}


def config(**sections: Any) -> Config:  # noqa: ANN401  Sections of a file.
    return Config.model_validate(sections)


@pytest.mark.parametrize("name", OTHER)
def test_what_needs_a_restart_stays_as_it_is_for_workers_that_start_later(name: str) -> None:
    running = config()
    file = config(edge={name: OTHER[name], "max_body_bytes": 7}, kafka={"topic_prefix": "new."})

    changed = read_again(running, lambda: file, lambda _: None)

    assert changed == config(edge={"max_body_bytes": 7})
    # As long as it is not restarted, each further reload says so.
    assert needs_restart(changed, file) == [f"edge.{name}", "kafka"]


def test_what_cannot_be_applied_is_not_told_as_reloaded() -> None:
    def unreadable(_: Config) -> None:
        raise ConfigError("edge.tls_certfile: no certificate")

    with capture_logs() as told:
        changed = read_again(config(), lambda: config(edge={"port": 1}), unreadable)

    assert changed is None
    assert [(line["event"], line["error"]) for line in told] == [
        (
            "new configuration rejected, keeping the former one",
            "edge.tls_certfile: no certificate",
        )
    ]
