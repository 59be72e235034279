"""Destinations that show what they have: their read side, with keys of its own."""

from abc import abstractmethod
from collections.abc import Mapping

from schemas.configuration.values import BaseUrl
from schemas.vendors.pull import Credential
from schemas.vendors.vendor import ConfiguredDestination


class ReadableDestination(ConfiguredDestination):
    """What `reconcile`, `backfill`, `ask` and `plan` ask. The delivery uses none of it."""

    secret_key: Credential | None = None
    read_url: BaseUrl | None = None

    @property
    @abstractmethod
    def reading_url(self) -> str:
        """Where its read side is; paths are added to it."""

    @abstractmethod
    def reading_login(self) -> Mapping[str, str]:
        """The headers of each request; there must be a `secret_key`."""
