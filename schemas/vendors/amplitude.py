"""Amplitude (docs/reference/amplitude.md)."""

from typing import Literal

from schemas.topics import Kind
from schemas.vendors.vendor import (
    REGIONAL_ADDRESS_FIX,
    REGIONAL_KEY_FIX,
    ConfiguredDestination,
    Vendor,
)

HOSTS = {  # amplitude.md#hosts.
    "us": "https://api2.amplitude.com",
    "eu": "https://api.eu.amplitude.com",
}
DEDUPE_DAYS = 7  # amplitude.md#deduplication.


class AmplitudeDestination(ConfiguredDestination):
    type: Literal["amplitude"]
    region: Literal["us", "eu"] = "us"
    user_properties_via: Literal["identify", "batch"] = "identify"
    gzip: bool = True

    @property
    def url(self) -> str:
        return self.base_url or HOSTS[self.region]

    @property
    def data_region(self) -> str:
        return self.region

    def dedupe_days(self, kind: Kind) -> int | None:
        """Not at `/identify` and `/groupidentify` (amplitude.md#identify)."""
        is_deduped = kind is Kind.EVENT or self.user_properties_via == "batch"
        return DEDUPE_DAYS if is_deduped else None


VENDOR = Vendor(
    title="Amplitude",
    configuration=AmplitudeDestination,
    destinations="consumers.destinations.amplitude.events:destinations",
    probe=(),  # No events: 200, or a 400 about `events` only (amplitude.md#bad-request).
    key_refusals=frozenset({"invalid_api_key", "status_401", "status_403"}),
    key_fix=REGIONAL_KEY_FIX,
    address_fix=REGIONAL_ADDRESS_FIX,
)
