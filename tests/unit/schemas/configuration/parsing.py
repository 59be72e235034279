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
