"""JSON lines, made up: what it says of itself (in the project: schemas/vendors/jsonlines.py)."""

from typing import Literal

from schemas.configuration.values import BaseUrl
from schemas.vendors.vendor import ConfiguredDestination, Vendor


class JsonLinesDestination(ConfiguredDestination):
    type: Literal["jsonlines"]
    base_url: BaseUrl  # It has no host of its own.
    stream: str = "events"

    @property
    def url(self) -> str:
        return self.base_url


VENDOR = Vendor(
    title="JSON lines",
    configuration=JsonLinesDestination,
    destinations="tests.vendors.jsonlines_destination:destinations",
    probe=(),  # No lines: 200, after the key was looked at.
)
