"""The interface of a vendor: what configuration and commands need to know of it."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, SecretStr, field_validator

from schemas.configuration.section import Section
from schemas.configuration.values import (
    API_KEY,
    FUNCTION,
    RESERVED_NAMES,
    WHERE_FIELD,
    BaseUrl,
    FilterValue,
    Name,
    Seconds,
    Start,
)
from schemas.events import PROPERTY_EVENTS
from schemas.topics import Kind

EventPattern = Annotated[str, Field(min_length=1, max_length=1_024)]


class Events(Section):
    """Which event types a destination gets: shell patterns, as in `"Order *"`."""

    allow: tuple[EventPattern, ...] | None = None
    deny: tuple[EventPattern, ...] = ()


class ConfiguredDestination(Section):
    """The keys that destinations of every type have; a vendor's model adds its own."""

    name: Name
    api_key: SecretStr
    base_url: BaseUrl | None = None
    sources: tuple[str, ...] | None = None
    where: Mapping[str, tuple[FilterValue, ...]] = {}
    events: Events | None = None
    rename: Mapping[str, str] = {}
    drop_properties: tuple[EventPattern, ...] = ()
    drop_classified: tuple[Literal["PII", "SENSITIVE", "REVENUE"], ...] = ()
    transform: Annotated[str, Field(pattern=FUNCTION)] | None = None
    start: Start = "earliest"
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    timeout_seconds: Seconds = 30.0
    type: str

    @property
    @abstractmethod
    def url(self) -> str:
        """The base URL of its API."""

    @property
    def data_region(self) -> str | None:
        """Where the vendor stores the data, for a type that has several such regions."""
        return None

    def dedupe_days(self, kind: Kind) -> int | None:
        """Days in which a record that is sent again counts once; `None`: it counts twice."""
        return None

    @field_validator("api_key")
    @classmethod
    def _is_given(cls, key: SecretStr) -> SecretStr:
        if not key.get_secret_value():
            raise ValueError("is empty")
        if not re.fullmatch(API_KEY, key.get_secret_value()):
            raise ValueError("must be printable ASCII on one line: it is sent in a header")
        return key

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise ValueError(f"{name} stands for the edge itself")
        return name

    @field_validator("where")
    @classmethod
    def _known_fields(cls, where: Mapping[str, Any]) -> Mapping[str, Any]:
        for field in where:
            if not re.fullmatch(WHERE_FIELD, field):
                raise ValueError(
                    f"{field}: not a field, event_properties.x, user_properties.x or "
                    "group_properties.x"
                )
        return where

    @field_validator("rename")
    @classmethod
    def _renames_ordinary_events(cls, rename: Mapping[str, str]) -> Mapping[str, str]:
        for before, after in rename.items():
            if not after.strip():
                raise ValueError(f"{before}: its new name is blank")
            for found in PROPERTY_EVENTS.intersection((before, after)):
                raise ValueError(f"{found} is no name of an event: it updates properties")
        return rename


# For a type with regions.
REGIONAL_KEY_FIX = "correct its api_key; a key is good in its own project and region only"
REGIONAL_ADDRESS_FIX = "correct its region or base_url"


@dataclass(frozen=True, slots=True)
class Probe:
    """One record of the request with which `ampgate check` tries the key: it stores nothing."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Vendor:
    """A type of destination.

    `destinations` is where the consumers' side is, as `module:function`. The function gets the
    configured destination, and returns a `consumers.delivery.destination.Destination` for each
    topic that it reads. It is a path, as an edge must not load it.
    """

    title: str
    configuration: type[ConfiguredDestination]
    destinations: str
    # In the first topic's request; without any, the request carries no records.
    probe: tuple[Probe, ...] = ()
    # Reasons of a `Pause` that mean a refused key, and what to do.
    key_refusals: frozenset[str] = frozenset({"status_401", "status_403"})
    key_fix: str = "correct its api_key"
    address_fix: str = "correct its base_url"
    # Whether a 429 is for the key, so that all topics wait.
    one_wait_a_key: bool = False

    @property
    def type(self) -> str:
        """Its name in the configuration: the only value of its model's `type`."""
        (name,) = get_args(self.configuration.model_fields["type"].annotation)
        return str(name)
