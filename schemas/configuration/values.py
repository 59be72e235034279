"""Types of configuration values, with their patterns and bounds."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from schemas.configuration.urls import usable_url

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
# Without a port, some Kafka clients use 9092, which may be another Kafka.
BOOTSTRAP = r"^[^\s,/]+:[0-9]{1,5}( *, *[^\s,/]+:[0-9]{1,5})*$"
TOPIC_PREFIX = r"^[A-Za-z0-9._-]{1,60}$"
FIELD = r"^[^.]+(\.[^.]+)*$"
PATH_PREFIX = r"^(/[A-Za-z0-9._~-]+)*$"
SHA256 = r"^[0-9a-f]{64}$"
BASE_URL = r"^https?://[^/\s]+"
AWS_REGION = r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$"
OAUTH_EXTENSION = r"^[A-Za-z]+=[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"  # RFC 7628.
HOST = r"^[A-Za-z0-9._:%-]{1,253}$"  # To listen on.
# Printable ASCII: the characters allowed in a header.
API_KEY = r"^[\x21-\x7e]([\x20-\x7e]{0,4094}[\x21-\x7e])?$"
WHERE_FIELD = r"((event|user|group)_properties\.)?[^.\x00-\x1f\"\\]+"
# A function of Python's, as entry points name it.
FUNCTION = r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$"
# As a browser sends it: no path, not even a slash at the end.
ORIGIN = r"^(\*|null|[a-z][a-z0-9+.-]*://[^/\sA-Z]+)$"
# Members that delivery needs.
UNSCRUBBED = frozenset(
    {
        *("event_type", "user_id", "device_id", "insert_id", "time", "session_id", "event_id"),
        *("groups", "group_type", "group_value"),
    }
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# In dead letters of the edge, instead of a destination's name.
RESERVED_NAMES = frozenset({"edge"})

Seconds = Annotated[float, Field(ge=0.01, le=86_400, allow_inf_nan=False)]
Bytes = Annotated[int, Field(gt=0, le=1_000_000_000_000)]
Host = Annotated[str, Field(pattern=HOST)]
FilterValue = str | int | Annotated[float, Field(allow_inf_nan=False)] | bool
Name = Annotated[str, Field(pattern=NAME)]
BaseUrl = Annotated[str, Field(pattern=BASE_URL), AfterValidator(usable_url)]


def _sendable(secret: SecretStr) -> SecretStr:
    """A header cannot carry it otherwise: clients would be refused without a word of why."""
    text = secret.get_secret_value()
    if not text.strip():
        raise ValueError("is empty")
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable, on one line and without blanks at its ends")
    return secret


Sent = Annotated[SecretStr, AfterValidator(_sendable)]  # A secret that others send us.


def _with_real_ports(servers: str) -> str:
    if any(not 0 < int(one.strip().rpartition(":")[2]) <= 65535 for one in servers.split(",")):
        raise ValueError("a port must be 1 to 65535")
    return servers


BootstrapServers = Annotated[str, Field(pattern=BOOTSTRAP), AfterValidator(_with_real_ports)]


def _somewhere(start: object) -> object:
    """A time of TOML, or RFC 3339 in a string, as in an environment variable."""
    if start in ("earliest", "latest"):
        return start
    with suppress(ValueError):
        time = datetime.fromisoformat(start) if isinstance(start, str) else start
        if isinstance(time, datetime) and time.tzinfo is not None and time >= EPOCH:
            return time
    raise ValueError('must be "earliest", "latest" or a time, as in 2026-01-31T00:00:00Z')


Start = Annotated[Literal["earliest", "latest"] | datetime, BeforeValidator(_somewhere)]


def _as_text(network: object) -> object:
    """Python reads a number as an address; here a network is a string."""
    if not isinstance(network, str | IPv4Network | IPv6Network):
        raise ValueError('must be a network, as in "10.0.0.0/8"')
    return network


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_as_text)]


def _as_kafka_writes_it(value: object) -> object:
    """Kafka's settings are text; TOML has numbers and truth."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


TopicSetting = Annotated[str, BeforeValidator(_as_kafka_writes_it)]
TopicName = Literal[
    "all",
    "events",
    "user-properties",
    "group-properties",
    "dead-letters",
    "parked",
    "cursors",
    "fingerprints",
    "suppressions",
    "probe",
]
SETTING_NAME = re.compile(r"[a-z]+(\.[a-z]+)+")
LEAST = {  # Of the settings that we compare and count with.
    "max.message.bytes": 1,
    "min.insync.replicas": 1,
    "replication.factor": 1,
    "retention.ms": -1,
    "retention.bytes": -1,
}


def setting_fault(name: str, value: str) -> str | None:
    """What is wrong with a topic's setting, in words; Kafka judges the rest."""
    if not SETTING_NAME.fullmatch(name):
        return "must be one of Kafka's topic settings, as in retention.ms"
    if name in LEAST and not (value.lstrip("-").isdecimal() and int(value) >= LEAST[name]):
        return f"must be an integer, {LEAST[name]} or more"
    return None
