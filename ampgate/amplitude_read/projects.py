"""Which destinations are Amplitude's: the only ones of which delivered events can be read back."""

from schemas.configuration.config import Config
from schemas.vendors.readable import ReadableDestination


def project_names(config: Config) -> list[str]:
    return [one.name for one in config.destinations if isinstance(one, ReadableDestination)]
