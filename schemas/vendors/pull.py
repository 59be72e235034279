"""What a vendor says of a system that is polled, so that nothing else has to know it."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema

from schemas.configuration.section import Section
from schemas.configuration.values import API_KEY, BaseUrl, Name

_EVERY = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
EVERY_MAX = 7 * 86_400


def _seconds(every: object) -> object:
    if not isinstance(every, str) or (found := _EVERY.fullmatch(every)) is None:
        raise ValueError('must be a time, as in "30s", "15m" or "1h"')
    return int(found[1]) * _SECONDS[found[2]]


def _in_a_header(secret: object) -> object:
    if isinstance(secret, str) and not re.fullmatch(API_KEY, secret):
        raise ValueError("must be printable ASCII on one line: it is sent in a header")
    return secret


Every = Annotated[
    int, BeforeValidator(_seconds), Field(le=EVERY_MAX), WithJsonSchema({"type": "string"})
]
Credential = Annotated[SecretStr, BeforeValidator(_in_a_header)]


class ConfiguredPull(Section):
    """The keys that pulls of every type have; a vendor's model adds its own."""

    name: Name
    every: Every  # In seconds; written as `"15m"`.
    base_url: BaseUrl | None = None
    type: str

    @property
    @abstractmethod
    def url(self) -> str:
        """Where its API is; paths are added to it."""

    @property
    @abstractmethod
    def account(self) -> str:
        """Pulls of one account share what its API allows."""

    @abstractmethod
    def login(self) -> Mapping[str, str]:
        """The headers of each request."""


@dataclass(frozen=True, slots=True)
class PolledSystem:
    """A type of pull.

    `pull` is where the gateway's side is, as `module:function`. The function gets the configured
    pull, a directory for its files and the `Webhooks` that the edge took, and returns a
    `gateway.pulls.pull.Pull`. It is a path, as a delivery must not load it.
    """

    title: str
    configuration: type[ConfiguredPull]
    pull: str
    simulator: str  # As `ampgate simulate` calls it.
    # What the API allows an account: so many requests in any so many seconds.
    requests: int
    seconds: float
    a_month: int | None = None  # And of some that many a month.

    @property
    def type(self) -> str:
        """What the configuration calls it: the one value that its model's `type` may have."""
        (name,) = get_args(self.configuration.model_fields["type"].annotation)
        return str(name)
