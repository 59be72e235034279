"""What can be configured (contract.md#configuration), and what each key may be."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from schemas.configuration.kafka_login import KafkaLogin
from schemas.configuration.patterns import Pattern
from schemas.configuration.registered import OfItsType
from schemas.configuration.section import Section
from schemas.configuration.values import (
    FIELD,
    ORIGIN,
    PATH_PREFIX,
    SHA256,
    TOPIC_PREFIX,
    UNSCRUBBED,
    BaseUrl,
    BootstrapServers,
    Bytes,
    Host,
    Name,
    Network,
    Seconds,
    Sent,
    TopicName,
    TopicSetting,
    setting_fault,
)
from schemas.topics import Topics
from schemas.vendors import SYSTEMS, VENDORS
from schemas.vendors.pull import ConfiguredPull
from schemas.vendors.vendor import ConfiguredDestination

Dialect = Literal["native", "amplitude", "segment", "aampe", "webhooks"]
Destination = Annotated[ConfiguredDestination, OfItsType(VENDORS)]
Pull = Annotated[ConfiguredPull, OfItsType(SYSTEMS)]


class ConfigError(Exception):
    """The configuration cannot be used; the message says which key and why."""


class Kafka(KafkaLogin):
    """How to reach Kafka, with Kafka's own names."""

    bootstrap_servers: BootstrapServers = "127.0.0.1:9092"
    topic_prefix: Annotated[str, Field(pattern=TOPIC_PREFIX)] = "ampgate."
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    topic_settings: Mapping[TopicName, Mapping[str, TopicSetting]] = {}

    @field_validator("topic_settings")
    @classmethod
    def _are_settings(
        cls, named: Mapping[TopicName, Mapping[str, str]]
    ) -> Mapping[TopicName, Mapping[str, str]]:
        for topic, settings in named.items():
            for name, value in settings.items():
                if fault := setting_fault(name, value):
                    raise ValueError(f'{topic}, "{name}": {fault}')
        return named

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix)

    def settings_of(self, topic: str) -> Mapping[str, str]:
        """What is configured for the topic of this name: for all, and over it for this one."""
        everywhere = self.topic_settings.get("all", {})
        own = topic.removeprefix(self.topic_prefix)
        return {**everywhere, **dict(self.topic_settings).get(own, {})}  # type: ignore[call-overload]  # Any name.


class Scrub(Section):
    """What to replace by `[scrubbed]` before it is stored: a field, or matches of a pattern."""

    field: Annotated[str, Field(pattern=FIELD)] | None = None
    pattern: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if (self.field is None) == (self.pattern is None):
            raise ValueError("needs either field or pattern")
        if self.field is not None and self.field.partition(".")[0] in UNSCRUBBED:
            raise ValueError(f"{self.field}: delivery needs it as it is")
        if self.pattern is not None:
            Pattern(self.pattern)
        return self


class Edge(Section):
    """The HTTP edge. These take a restart: host, port, admin_host, admin_port, workers,
    path_prefix, ack_timeout_seconds, max_connections, spool_dir, spool_max_bytes, and whether
    there is TLS.
    """

    host: Host = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    admin_host: Host = "0.0.0.0"
    admin_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    tls_certfile: Path | None = None
    tls_keyfile: Path | None = None
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    path_prefix: Annotated[str, Field(pattern=PATH_PREFIX)] = ""
    max_body_bytes: Bytes = 20_000_000
    max_expansion: Annotated[int, Field(ge=1, le=1_000)] = 100
    max_inflight_bytes: Bytes = 64_000_000
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    trusted_proxies: tuple[Network, ...] = ()
    body_timeout_seconds: Seconds = 10.0
    ack_timeout_seconds: Seconds = 8.0
    suppressed_user_ids: tuple[str, ...] = ()
    scrub: tuple[Scrub, ...] = ()
    spool_dir: Path | None = None
    spool_max_bytes: Bytes = 1_000_000_000

    @model_validator(mode="after")
    def _ports_and_files_go_together(self) -> Self:
        if self.tls_keyfile is not None and self.tls_certfile is None:
            raise ValueError("tls_keyfile needs tls_certfile")
        if self.admin_port and self.admin_port == self.port:
            raise ValueError("admin_port is the same as port")
        return self

    @field_validator("suppressed_user_ids", mode="before")
    @classmethod
    def _one_a_line(cls, ids: object) -> object:
        """`suppressed_user_ids_file` names a text file: an id a line."""
        return (
            tuple(filter(None, map(str.strip, ids.splitlines()))) if isinstance(ids, str) else ids
        )


PlanMode = Literal["off", "warn", "block"]


class Planned(Section):
    """Records are held to a tracking plan; a path is from the working folder."""

    plan: Path | None = None
    plan_mode: PlanMode = "warn"

    @model_validator(mode="after")
    def _has_a_plan(self) -> Self:
        if self.plan is None and self.plan_mode == "block":
            raise ValueError("plan_mode needs plan")
        return self


class Delivery(Planned):
    admin_host: Host = "0.0.0.0"
    admin_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    max_memory_bytes: Bytes = 48_000_000
    drain_timeout_seconds: Seconds = 20.0
    stuck_after_seconds: Seconds = 300.0


class Pulling(Section):
    """The process that runs the pulls."""

    admin_host: Host = "0.0.0.0"
    admin_port: Annotated[int, Field(ge=0, le=65535)] = 9092


class Console(Section):
    """The web page for operators and analysts; each URL is where processes serve `/metrics`."""

    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    token: Sent | None = None
    viewer_token: Sent | None = None
    edges: tuple[BaseUrl, ...] | None = None
    deliveries: tuple[BaseUrl, ...] | None = None
    pulls: tuple[BaseUrl, ...] | None = None
    reconciliations: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _tokens_can_be_told_apart(self) -> Self:
        if self.token is not None and self.token == self.viewer_token:
            raise ValueError("viewer_token is the same as token")
        return self


class Source(Planned):
    name: Name
    write_key: Sent | None = None
    write_key_sha256: Annotated[str, Field(pattern=SHA256)] | None = None
    allowed_origins: tuple[Annotated[str, Field(pattern=ORIGIN)], ...] = ()
    events_per_second: Annotated[float, Field(ge=0.001, le=1e9, allow_inf_nan=False)] | None = None
    max_body_bytes: Bytes | None = None
    max_batch_records: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = None
    dialects: Annotated[tuple[Dialect, ...], Field(min_length=1)] | None = None
    ip: Literal["keep", "truncate", "drop"] = "keep"
    scrub: tuple[Scrub, ...] = ()

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if (self.write_key is None) == (self.write_key_sha256 is None):
            raise ValueError("needs either write_key or write_key_sha256")
        return self

    @property
    def key_digest(self) -> str:
        """SHA-256 of the write key, in hex."""
        if self.write_key is None:
            return self.write_key_sha256 or ""
        return hashlib.sha256(self.write_key.get_secret_value().encode()).hexdigest()


class Config(Section):
    kafka: Kafka = Kafka()
    edge: Edge = Edge()
    delivery: Delivery = Delivery()
    sources: tuple[Source, ...] = ()
    destinations: tuple[Destination, ...] = ()
    pull: Pulling = Pulling()
    console: Console = Console()
    pulls: tuple[Pull, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        destinations = [one.name for one in self.destinations]
        named = {"sources and pulls": self.source_names(), "destinations": destinations}
        for kind, names in named.items():
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"{kind}: two are called {twice[0]}")
        by_key = {one.key_digest: one.name for one in self.sources}
        for one in self.sources:
            if (other := by_key[one.key_digest]) != one.name:
                raise ValueError(f"sources: {one.name} and {other} have the same write key")
        known = {*self.source_names(), "kafka"}
        for destination in self.destinations:
            for name in destination.sources or ():
                if name not in known:
                    raise ValueError(f"destinations: {destination.name} names no source: {name}")
        return self

    def source_names(self) -> list[str]:
        """A pull is the source of its records."""
        return [*(source.name for source in self.sources), *(pull.name for pull in self.pulls)]
