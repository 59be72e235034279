"""Where the commands find their configuration, and how they reach Kafka with it."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from schemas.config import Config, ConfigError, Kafka
from schemas.config_file import load

DEFAULT_FILE = "ampgate.toml"
WITH_SECRETS = frozenset({"sources", "destinations"})
DEV_FILE = Path(".ampgate") / DEFAULT_FILE


def configuration(secrets_of: Collection[str] = ()) -> Config:
    """The file that `AMPGATE_CONFIG` names; `ConfigError` says what is wrong with it.

    Of sources and destinations only the secrets of the sections `secrets_of` must be there: an edge
    has no API keys, a delivery no write keys, and most commands need neither.
    """
    path = Path(os.environ.get("AMPGATE_CONFIG", DEFAULT_FILE))
    if not path.exists():
        written = f"; `ampgate dev` wrote {DEV_FILE}" if DEV_FILE.exists() else ""
        raise ConfigError(f"{path}: there is no such file; AMPGATE_CONFIG names another{written}")
    return load(path, os.environ, WITH_SECRETS.difference(secrets_of))


def client_arguments(kafka: Kafka) -> dict[str, Any]:
    """What every client of aiokafka takes."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "security_protocol": kafka.security_protocol,
        "client_id": "ampgate-cli",
    }
    if kafka.security_protocol.startswith("SASL"):
        password = kafka.sasl_plain_password
        arguments["sasl_mechanism"] = kafka.sasl_mechanism
        arguments["sasl_plain_username"] = kafka.sasl_plain_username
        arguments["sasl_plain_password"] = password and password.get_secret_value()
    if kafka.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = kafka.ssl_context()
    return arguments
