"""The destination that an option names."""

import typer

from ampgate.amplitude_read.client import require_keys
from schemas.configuration.config import Config
from schemas.vendors.readable import ReadableDestination
from schemas.vendors.vendor import ConfiguredDestination


def destination_named(config: Config, name: str) -> ConfiguredDestination:
    """Of those that are configured."""
    found = next((one for one in config.destinations if one.name == name), None)
    if found is None:
        raise typer.BadParameter(f"no destination is called {name}")
    return found


def amplitude_project(config: Config, name: str) -> ReadableDestination:
    """One that can be read: with keys that are here."""
    found = destination_named(config, name)
    if not isinstance(found, ReadableDestination):
        raise typer.BadParameter(f"{name} is no Amplitude project: it cannot be read")
    require_keys(found)
    return found
