"""The registries: the types of destinations and of pulls. A new one is a line here."""

from typing import Final

from schemas.vendors import aampe, amperity, amplemarket, amplitude
from schemas.vendors.pull import PolledSystem
from schemas.vendors.vendor import ConfiguredDestination, Vendor

VENDORS: Final[dict[str, Vendor]] = {
    vendor.type: vendor
    for vendor in (
        amplitude.VENDOR,
        aampe.VENDOR,
    )
}
SYSTEMS: Final[dict[str, PolledSystem]] = {
    system.type: system
    for system in (amperity.SYSTEM, amplemarket.SYSTEM, amplemarket.EXCLUSIONS, amplitude.COHORT)
}


def vendor_of(configured: ConfiguredDestination) -> Vendor:
    return VENDORS[configured.type]
