"""Aampe (docs/reference/aampe.md). It documents no dedupe (aampe.md#answers)."""

from typing import Literal
from uuid import UUID

from schemas.configuration.values import BaseUrl
from schemas.vendors.pull import Credential
from schemas.vendors.vendor import (
    REGIONAL_ADDRESS_FIX,
    REGIONAL_KEY_FIX,
    ConfiguredDestination,
    Probe,
    Vendor,
)


class AampeDestination(ConfiguredDestination):
    type: Literal["aampe"]
    region: Literal["us-east1", "europe-west3", "asia-southeast1"]
    metadata_fields: tuple[str, ...] = ()
    # Its Content API: what `ask` asks (aampe.md#content).
    content_api_key: Credential | None = None
    surfaces: tuple[UUID, ...] = ()
    read_url: BaseUrl | None = None

    @property
    def url(self) -> str:
        # aampe.md#hosts.
        return self.base_url or f"https://ingestion.{self.region}.api.aampe.com"

    @property
    def reading_url(self) -> str:
        # aampe.md#content.
        return self.read_url or f"https://content.{self.region}.api.aampe.com"

    @property
    def data_region(self) -> str:
        return self.region


VENDOR = Vendor(
    title="Aampe",
    configuration=AampeDestination,
    destinations="consumers.destinations.aampe.events:destinations",
    # No contact and no event: 422, after the key was looked at (aampe.md#answers).
    probe=(Probe("/v1/events", b"{}"),),
    key_fix=REGIONAL_KEY_FIX,
    address_fix=REGIONAL_ADDRESS_FIX,
    one_wait_a_key=True,
)
