"""What can be configured (product.md §6), and what each key may be."""

import hashlib
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from schemas.topics import Topics

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
# Without a port, Kafka's clients differ: some take 9092, and so perhaps another Kafka.
BOOTSTRAP = r"^[^\s,/]+:[0-9]{1,5}( *, *[^\s,/]+:[0-9]{1,5})*$"
TOPIC_PREFIX = r"^[A-Za-z0-9._-]{1,60}$"
FIELD = r"^[^.]+(\.[^.]+)*$"
PATH_PREFIX = r"^(/[A-Za-z0-9._~-]+)*$"
SHA256 = r"^[0-9a-f]{64}$"
BASE_URL = r"^https?://[^/\s]+"
# As a browser writes it: no path, not even a slash at the end.
ORIGIN = r"^(\*|null|[a-z][a-z0-9+.-]*://[^/\sA-Z]+)$"
# Members that decide whether, where and when a record is delivered.
UNSCRUBBED = frozenset(
    {
        *("event_type", "user_id", "device_id", "insert_id", "time", "session_id", "event_id"),
        *("groups", "group_type", "group_value"),
    }
)


class ConfigError(Exception):
    """The configuration cannot be used; the message says which key and why."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kafka(Section):
    """How to reach Kafka, with Kafka's own names."""

    bootstrap_servers: Annotated[str, Field(pattern=BOOTSTRAP)] = "127.0.0.1:9092"
    topic_prefix: Annotated[str, Field(pattern=TOPIC_PREFIX)] = "ampgate."
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_plain_username: str | None = None
    sasl_plain_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        named = (self.sasl_plain_username, self.sasl_plain_password)
        if self.security_protocol.startswith("SASL") and None in named:
            raise ValueError(
                f"{self.security_protocol} needs sasl_plain_username and sasl_plain_password"
            )
        return self

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix)


class Scrub(Section):
    """What is replaced by `[scrubbed]` before it is stored: one field, or what a pattern finds."""

    field: Annotated[str, Field(pattern=FIELD)] | None = None
    pattern: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if (self.field is None) == (self.pattern is None):
            raise ValueError("needs either field or pattern")
        if self.field is not None and self.field.partition(".")[0] in UNSCRUBBED:
            raise ValueError(f"{self.field}: delivery needs it as it is")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from error
        return self


class Edge(Section):
    """The HTTP edge. Host, port, workers, path_prefix and ack_timeout_seconds take a restart."""

    host: str = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    path_prefix: Annotated[str, Field(pattern=PATH_PREFIX)] = ""
    max_body_bytes: Annotated[int, Field(gt=0)] = 20_000_000
    max_inflight_bytes: Annotated[int, Field(gt=0)] = 64_000_000
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    body_timeout_seconds: Annotated[float, Field(gt=0)] = 10.0
    ack_timeout_seconds: Annotated[float, Field(gt=0)] = 8.0
    suppressed_user_ids: tuple[str, ...] = ()
    scrub: tuple[Scrub, ...] = ()

    @field_validator("suppressed_user_ids", mode="before")
    @classmethod
    def _one_a_line(cls, ids: object) -> object:
        """`suppressed_user_ids_file` names a text file: an id a line."""
        return (
            tuple(filter(None, map(str.strip, ids.splitlines()))) if isinstance(ids, str) else ids
        )


class Delivery(Section):
    admin_host: str = "0.0.0.0"
    admin_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    max_memory_bytes: Annotated[int, Field(gt=0)] = 48_000_000
    drain_timeout_seconds: Annotated[float, Field(gt=0)] = 20.0
    stuck_after_seconds: Annotated[float, Field(gt=0)] = 300.0


class Source(Section):
    name: Annotated[str, Field(pattern=NAME)]
    write_key: SecretStr | None = None
    write_key_sha256: Annotated[str, Field(pattern=SHA256)] | None = None
    allowed_origins: tuple[Annotated[str, Field(pattern=ORIGIN)], ...] = ()
    events_per_second: Annotated[float, Field(gt=0)] | None = None
    max_body_bytes: Annotated[int, Field(gt=0)] | None = None
    max_batch_records: Annotated[int, Field(gt=0)] | None = None
    ip: Literal["keep", "truncate", "drop"] = "keep"
    scrub: tuple[Scrub, ...] = ()

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if (self.write_key is None) == (self.write_key_sha256 is None):
            raise ValueError("needs either write_key or write_key_sha256")
        if self.write_key is not None and not self.write_key.get_secret_value():
            raise ValueError("write_key is empty")
        return self

    @property
    def key_digest(self) -> str:
        """SHA-256 of the write key, in hex."""
        if self.write_key is None:
            return self.write_key_sha256 or ""
        return hashlib.sha256(self.write_key.get_secret_value().encode()).hexdigest()


class DestinationBase(Section):
    name: Annotated[str, Field(pattern=NAME)]
    api_key: SecretStr
    base_url: Annotated[str, Field(pattern=BASE_URL)] | None = None
    sources: tuple[str, ...] | None = None
    where: Mapping[str, tuple[str | int | float | bool, ...]] = {}
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 30.0

    @field_validator("api_key")
    @classmethod
    def _is_given(cls, key: SecretStr) -> SecretStr:
        if not key.get_secret_value():
            raise ValueError("is empty")
        return key

    @field_validator("where")
    @classmethod
    def _known_fields(cls, where: Mapping[str, Any]) -> Mapping[str, Any]:
        for field in where:
            if not re.fullmatch(r"((event|user|group)_properties\.)?[^.]+", field):
                raise ValueError(f"{field}: not a field, event_properties.x or user_properties.x")
        return where


class AmplitudeDestination(DestinationBase):
    type: Literal["amplitude"]
    region: Literal["us", "eu"] = "us"
    user_properties_via: Literal["identify", "batch"] = "identify"
    gzip: bool = True

    @property
    def url(self) -> str:
        if self.base_url is not None:
            return self.base_url.rstrip("/")
        # upstreams.md §1.0.
        return {"us": "https://api2.amplitude.com", "eu": "https://api.eu.amplitude.com"}[
            self.region
        ]


class AampeDestination(DestinationBase):
    type: Literal["aampe"]
    region: Literal["us-east1", "europe-west3", "asia-southeast1"]
    metadata_fields: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        # upstreams.md §2.0.
        return (self.base_url or f"https://ingestion.{self.region}.api.aampe.com").rstrip("/")


Destination = Annotated[AmplitudeDestination | AampeDestination, Field(discriminator="type")]


class Config(Section):
    kafka: Kafka = Kafka()
    edge: Edge = Edge()
    delivery: Delivery = Delivery()
    sources: tuple[Source, ...] = ()
    destinations: tuple[Destination, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for kind, names in (
            ("sources", [source.name for source in self.sources]),
            ("destinations", [destination.name for destination in self.destinations]),
            ("source keys", [source.key_digest for source in self.sources]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{kind}: two have the same name or key")
        known = {source.name for source in self.sources} | {"kafka"}
        for destination in self.destinations:
            for name in destination.sources or ():
                if name not in known:
                    raise ValueError(f"destinations: {destination.name} names no source: {name}")
        return self
