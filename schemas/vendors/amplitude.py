"""Amplitude (docs/reference/amplitude.md)."""

import base64
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from schemas.topics import Kind
from schemas.vendors.pull import ConfiguredPull, Credential, PolledSystem
from schemas.vendors.readable import ReadableDestination
from schemas.vendors.vendor import (
    REGIONAL_ADDRESS_FIX,
    REGIONAL_KEY_FIX,
    Vendor,
)

HOSTS = {  # amplitude.md#hosts.
    "us": "https://api2.amplitude.com",
    "eu": "https://api.eu.amplitude.com",
}
READ_HOSTS = {  # amplitude-read.md#access.
    "us": "https://amplitude.com",
    "eu": "https://analytics.eu.amplitude.com",
}
PROFILE_HOSTS = {"us": "https://profile-api.amplitude.com"}  # As above.
DEDUPE_DAYS = 7  # amplitude.md#deduplication.


def basic_login(api_key: SecretStr, secret_key: SecretStr) -> Mapping[str, str]:
    """The headers of each request to the read side (amplitude-read.md#access)."""
    pair = f"{api_key.get_secret_value()}:{secret_key.get_secret_value()}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


class AmplitudeDestination(ReadableDestination):
    type: Literal["amplitude"]
    region: Literal["us", "eu"] = "us"
    user_properties_via: Literal["identify", "batch"] = "identify"
    gzip: bool = True

    @property
    def url(self) -> str:
        return self.base_url or HOSTS[self.region]

    @property
    def reading_url(self) -> str:
        return self.read_url or READ_HOSTS[self.region]

    @property
    def profile_url(self) -> str | None:
        """Where profiles are; none in the EU (amplitude-read.md#profiles-and-activity)."""
        return self.read_url or PROFILE_HOSTS.get(self.region)

    def reading_login(self) -> Mapping[str, str]:
        assert self.secret_key is not None, "who reads has asked for the key"
        return basic_login(self.api_key, self.secret_key)

    @property
    def data_region(self) -> str:
        return self.region

    def dedupe_days(self, kind: Kind) -> int | None:
        """Not at `/identify` and `/groupidentify` (amplitude.md#identify)."""
        is_deduped = kind is Kind.EVENT or self.user_properties_via == "batch"
        return DEDUPE_DAYS if is_deduped else None


class AmplitudeCohortPull(ConfiguredPull):
    type: Literal["amplitude-cohort"]
    region: Literal["us", "eu"] = "us"
    api_key: Credential
    secret_key: Credential
    cohort: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

    @property
    def url(self) -> str:
        return self.base_url or READ_HOSTS[self.region]

    @property
    def account(self) -> str:
        return f"{self.type} {self.url} {self.api_key.get_secret_value()}"

    def login(self) -> Mapping[str, str]:
        return basic_login(self.api_key, self.secret_key)

    # The last, as it hides the decorator of its name.
    property: Annotated[str, Field(min_length=1, max_length=1_024)]


COHORT = PolledSystem(
    title="Amplitude's cohorts",
    configuration=AmplitudeCohortPull,
    pull="gateway.pulls.amplitude_cohort:pull",
    simulator="amplitude-read",
    requests=60,  # amplitude-read.md#cohorts.
    seconds=600.0,
    a_month=500,  # Downloads.
)
VENDOR = Vendor(
    title="Amplitude",
    configuration=AmplitudeDestination,
    destinations="consumers.destinations.amplitude.events:destinations",
    probe=(),  # No events: 200, or a 400 about `events` only (amplitude.md#bad-request).
    key_refusals=frozenset({"invalid_api_key", "status_401", "status_403"}),
    key_fix=REGIONAL_KEY_FIX,
    address_fix=REGIONAL_ADDRESS_FIX,
)
