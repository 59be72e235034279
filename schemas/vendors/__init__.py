"""The registry of destination types; each is a line here."""

from typing import Final

from schemas.vendors import aampe, amplitude
from schemas.vendors.vendor import ConfiguredDestination, Vendor

VENDORS: Final[dict[str, Vendor]] = {
    vendor.type: vendor
    for vendor in (
        amplitude.VENDOR,
        aampe.VENDOR,
    )
}


def vendor_of(configured: ConfiguredDestination) -> Vendor:
    return VENDORS[configured.type]
