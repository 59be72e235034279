"""Opens the spool that is configured, or says why that is not possible."""

import sqlite3
from pathlib import Path

from gateway.spool.spool import Spool
from schemas.configuration.config import ConfigError, Edge


def check_spool(edge: Edge) -> None:
    """Raises `ConfigError` if there is to be a spool, and it cannot be used."""
    if edge.spool_dir is not None:
        opened(edge.spool_dir, edge.spool_max_bytes).close()


def opened(directory: Path, bytes_max: int) -> Spool:
    try:
        return Spool(directory, bytes_max)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"edge.spool_dir: {directory}: {error}") from error
