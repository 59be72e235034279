"""Configurations as tests write them."""

from collections.abc import Mapping
from typing import Any

import pytest

from schemas.configuration.config import Config, ConfigError
from schemas.configuration.file import parse

AMPLITUDE = {"name": "us", "type": "amplitude", "api_key": "a1"}
AAMPE = {"name": "eu", "type": "aampe", "region": "europe-west3", "api_key": "b1"}


def parsed(tree: dict[str, Any], environment: Mapping[str, str] | None = None) -> Config:
    return parse(tree, environment or {}, "ampgate.toml")


def refusal(tree: dict[str, Any], environment: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(tree, environment)
    return str(caught.value)


SOURCE = {"name": "web", "write_key": "k1"}
OAUTH = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "OAUTHBEARER",
    "sasl_oauth_token_url": "https://idp.example/token",
    "sasl_oauth_client_id": "ampgate",
    "sasl_oauth_client_secret": "very-secret",
}
MSK = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "OAUTHBEARER",
    "sasl_oauth_provider": "aws-msk-iam",
    "aws_region": "eu-central-1",
}
