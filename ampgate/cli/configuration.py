"""The configuration of the commands."""

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from schemas.configuration.config import Config, ConfigError, Kafka
from schemas.configuration.file import load
from schemas.kafka import login

NAME = "AMPGATE_CONFIG"
DEFAULT_FILE = "ampgate.toml"
WITH_SECRETS = frozenset({"sources", "destinations", "pulls", "console"})
DEV_FILE = Path(".ampgate") / DEFAULT_FILE


def configuration(secrets_of: Collection[str] = ()) -> Config:
    """The file that `AMPGATE_CONFIG` names; `ConfigError` says what is wrong with it.

    Of the sections with secrets only those of `secrets_of` must be there: an edge has no API keys,
    a delivery no write keys, and most commands need neither.
    """
    path = Path(os.environ.get(NAME, DEFAULT_FILE))
    if not path.exists():
        named = f"{NAME} names it" if NAME in os.environ else f"{NAME} can name another"
        written = f"; `ampgate dev` wrote {DEV_FILE}" if DEV_FILE.exists() else ""
        raise ConfigError(f"{path.absolute()}: there is no such file; {named}{written}")
    _import_from(Path.cwd(), path.absolute().parent)
    return load(path, os.environ, WITH_SECRETS.difference(secrets_of))


def _import_from(*folders: Path) -> None:
    """Functions for `transform` may be there; all that Python finds by itself comes before."""
    sys.path += [str(one) for one in dict.fromkeys(folders) if str(one) not in sys.path]


def client_arguments(kafka: Kafka) -> dict[str, Any]:
    """What every client of aiokafka takes."""
    return {**login.client_arguments(kafka), "client_id": "ampgate-cli"}
