"""Reloading the configuration; an invalid file changes nothing, and is logged."""

from collections.abc import Callable

import structlog

from schemas.configuration.config import Config, ConfigError
from schemas.plans.checking import check_plans

Load = Callable[[], Config]
# Keys that need a restart.
FIXED = (
    *("host", "port", "admin_host", "admin_port", "workers", "path_prefix"),
    *("ack_timeout_seconds", "max_connections", "spool_dir", "spool_max_bytes"),
)

log = structlog.get_logger()


def read_again(
    current: Config, load: Load | None, apply: Callable[[Config], None], *, quiet: bool = False
) -> Config | None:
    """The new configuration, if it is valid and applied; logs the result. What needs a restart
    stays in it as it is now, so that a worker that is started later is like the others.
    """
    if load is None:
        return None
    try:
        config = load()
        check_plans(config.sources)
        edge = config.edge.model_copy(update={name: getattr(current.edge, name) for name in FIXED})
        changed = config.model_copy(update={"edge": edge, "kafka": current.kafka})
        apply(changed)
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
    return changed


def needs_restart(current: Config, config: Config) -> list[str]:
    """The keys that changed and are not applied."""
    before, after = current.edge.model_dump(), config.edge.model_dump()
    keys = [f"edge.{name}" for name in FIXED if before[name] != after[name]]
    if (current.edge.tls_certfile is None) != (config.edge.tls_certfile is None):
        # A newer certificate is applied; switching TLS on or off needs a restart.
        keys.append("edge.tls_certfile")
    return keys if current.kafka == config.kafka else [*keys, "kafka"]
