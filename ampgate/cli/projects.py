"""The Amplitude project that an option names."""

import typer

from ampgate.amplitude_read.client import require_keys
from schemas.configuration.config import Config
from schemas.vendors.readable import ReadableDestination


def amplitude_project(config: Config, name: str) -> ReadableDestination:
    """One that can be read: with keys that are here."""
    found = next((one for one in config.destinations if one.name == name), None)
    if found is None:
        raise typer.BadParameter(f"no destination is called {name}")
    if not isinstance(found, ReadableDestination):
        raise typer.BadParameter(f"{name} is no Amplitude project: it cannot be read")
    require_keys(found)
    return found
