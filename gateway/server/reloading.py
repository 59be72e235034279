"""Reading the configuration again: a bad file changes nothing, and says so."""

from collections.abc import Callable

import structlog

from schemas.configuration.config import Config, ConfigError

Load = Callable[[], Config]
# What only a restart can change.
FIXED = (
    *("host", "port", "admin_host", "admin_port", "workers", "path_prefix"),
    *("ack_timeout_seconds", "max_connections"),
)

log = structlog.get_logger()


def read_again(current: Config, load: Load | None, *, quiet: bool = False) -> Config | None:
    """The new configuration, if there is a good one; logged, unless somebody else does."""
    if load is None:
        return None
    try:
        config = load()
    except ConfigError as error:
        log.error("new configuration rejected, keeping the former one", error=str(error))
        return None
    except Exception as error:  # noqa: BLE001  No file ends a process that serves.
        log.error("new configuration rejected, keeping the former one", error=repr(error))
        return None
    if not quiet:
        log.info("configuration reloaded", sources=len(config.sources))
        if fixed := needs_restart(current, config):
            log.warning("changed keys need a restart", keys=fixed)
    return config


def needs_restart(current: Config, config: Config) -> list[str]:
    """The keys that changed and are not applied."""
    before, after = current.edge.model_dump(), config.edge.model_dump()
    keys = [f"edge.{name}" for name in FIXED if before[name] != after[name]]
    if (current.edge.tls_certfile is None) != (config.edge.tls_certfile is None):
        keys.append(
            "edge.tls_certfile"
        )  # A newer certificate is taken; TLS itself comes or goes so.
    return keys if current.kafka == config.kafka else [*keys, "kafka"]
