"""What every client of Kafka is given, to reach it and to log in."""

from typing import Any

import schemas.kafka.asking  # noqa: F401  Every client of Kafka asks as it says.
from schemas.configuration.config import Kafka
from schemas.kafka.tokens import tokens_for


def client_arguments(kafka: Kafka) -> dict[str, Any]:
    password = kafka.sasl_plain_password
    uses_tokens = kafka.sasl_mechanism == "OAUTHBEARER"
    return {
        "bootstrap_servers": kafka.bootstrap_servers,
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_plain_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "sasl_oauth_token_provider": tokens_for(kafka) if uses_tokens else None,
        "ssl_context": kafka.ssl_context() if "SSL" in kafka.security_protocol else None,
    }
